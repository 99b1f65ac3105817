package delta

import "iter"

// file is what is compared of an active file.
type file struct {
	size     int64
	values   uint64 // the sum of its partition values
	spelling uint32 // a hash of its path as it is written
}

// active are the active files of a table. What is known of them stands in lists, and not in the map, which has room for
// twice as many; and sums can be forgotten before the rest.
type active struct {
	places    map[key]uint32
	sizes     []int64
	sums      []uint64
	spellings []uint32
	free      []uint32    // places of files that were removed
	total     fingerprint // of all, up to a constant
}

func newActive() *active { return &active{places: map[key]uint32{}} }

func (a *active) len() int { return len(a.places) }

func (a *active) has(k key) bool {
	_, ok := a.places[k]
	return ok
}

func (a *active) get(k key) (file, bool) {
	place, ok := a.places[k]
	if !ok {
		return file{}, false
	}
	return a.at(place), true
}

func (a *active) at(place uint32) file {
	if a.sums == nil {
		return file{size: a.sizes[place]}
	}
	return file{a.sizes[place], a.sums[place], a.spellings[place]}
}

// put makes a file active.
func (a *active) put(k key, f file) {
	a.drop(k)
	a.total.add(k, f)
	if last := len(a.free) - 1; last >= 0 {
		place := a.free[last]
		a.free = a.free[:last]
		a.places[k], a.sizes[place], a.sums[place], a.spellings[place] = place, f.size, f.values, f.spelling
		return
	}
	a.places[k] = uint32(len(a.sizes))
	a.sizes, a.sums, a.spellings = append(a.sizes, f.size), append(a.sums, f.values), append(a.spellings, f.spelling)
}

func (a *active) drop(k key) {
	if place, ok := a.places[k]; ok {
		a.total.take(k, a.at(place))
		a.free = append(a.free, place)
		delete(a.places, k)
	}
}

// mark inverts the size of a file, and marking it again undoes that. It costs no memory.
func (a *active) mark(k key) {
	place := a.places[k]
	a.sizes[place] = ^a.sizes[place]
}

// unmark undoes all marks.
func (a *active) unmark() {
	for i, size := range a.sizes {
		a.sizes[i] = max(size, ^size)
	}
}

// forget forgets partition values and spellings, when everything has been compared.
func (a *active) forget() { a.sums, a.spellings, a.free = nil, nil, nil }

func (a *active) all() iter.Seq2[key, file] {
	return func(yield func(key, file) bool) {
		for k, place := range a.places {
			if !yield(k, a.at(place)) {
				return
			}
		}
	}
}
