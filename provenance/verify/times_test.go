package verify

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

func TestEarliestTimes(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 23, 2, minute, 0, 0, time.UTC) }
	stamp := func(minute int, by string) envelope.Time {
		return envelope.Time{At: at(minute), Kind: envelope.TimeStamp, By: by}
	}
	log := envelope.Time{At: at(33), Kind: envelope.TimeLog, By: "tsa"}
	for name, tt := range map[string]struct{ times, want []envelope.Time }{
		"none":             {nil, nil},
		"sorted":           {[]envelope.Time{log, stamp(31, "tsa")}, []envelope.Time{stamp(31, "tsa"), log}},
		"signed twice":     {[]envelope.Time{stamp(40, "tsa"), stamp(31, "tsa"), stamp(35, "tsa")}, []envelope.Time{stamp(31, "tsa")}},
		"two authorities":  {[]envelope.Time{stamp(32, "other"), stamp(31, "tsa"), stamp(30, "other")}, []envelope.Time{stamp(30, "other"), stamp(31, "tsa")}},
		"a log's is other": {[]envelope.Time{log, stamp(34, "tsa")}, []envelope.Time{log, stamp(34, "tsa")}},
	} {
		if got := earliest(tt.times); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
