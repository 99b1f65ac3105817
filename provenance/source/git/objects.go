package git

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// objects reads a repository's objects through one `git cat-file --batch`, and hashes each of them itself: git does not
// check the hash of what it reads from a pack, so its word would not be an observation.
type objects struct {
	ctx    context.Context
	cmd    *exec.Cmd
	stderr *tail
	in     io.WriteCloser
	out    *bufio.Reader
}

// openObjects starts git. The caller closes.
func (g runner) openObjects(ctx context.Context) (*objects, error) {
	cmd, stderr := g.command(ctx, "cat-file", "--batch")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, newGitError(ctx, "cat-file", stderr, err)
	}
	return &objects{ctx, cmd, stderr, in, bufio.NewReaderSize(out, 1<<16)}, nil
}

// close ends git, and may be called twice. That git was cut off in the middle of an answer is no error of its own.
func (o *objects) close() {
	o.in.Close()
	io.Copy(io.Discard, o.out)
	o.cmd.Wait()
}

// read streams the object named id into w, and fails unless it is of the wanted kind and really has that name.
func (o *objects) read(id, kind string, w io.Writer) error {
	size, err := o.ask(id, kind)
	if err != nil {
		return err
	}
	sum := sha1.New()
	fmt.Fprintf(sum, "%s %d\x00", kind, size)
	if _, err := io.CopyN(io.MultiWriter(w, sum), o.out, size); err != nil {
		return o.broken(err)
	}
	if end, err := o.out.ReadByte(); err != nil || end != '\n' {
		return o.broken(errors.Join(err, errors.New("the answer has no end")))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != id {
		return fmt.Errorf("the repository is damaged: what it keeps as %s %s hashes to %s", kind, id, got)
	}
	return nil
}

// ask sends one name and reads the head of the answer: "NAME KIND SIZE" or "NAME missing".
// Source: https://git-scm.com/docs/git-cat-file#_batch_output
func (o *objects) ask(id, kind string) (int64, error) {
	if _, err := io.WriteString(o.in, id+"\n"); err != nil {
		return 0, o.broken(err)
	}
	head, err := o.out.ReadString('\n')
	if err != nil {
		return 0, o.broken(err)
	}
	fields := strings.Fields(head)
	if len(fields) == 2 && fields[1] == "missing" {
		return 0, fmt.Errorf("the repository lacks the %s %s: fetch it in full", kind, id)
	}
	if len(fields) != 3 || fields[0] != id || fields[1] != kind {
		return 0, fmt.Errorf("git answers %q where a %s is expected", foreign.Plain(head), kind)
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 {
		return 0, fmt.Errorf("git answers %q where a size is expected", foreign.Plain(head))
	}
	return size, nil
}

// broken waits for the end of git, so that all it complains about is there.
func (o *objects) broken(err error) error {
	o.close()
	return newGitError(o.ctx, "cat-file", o.stderr, err)
}

// maxMeta bounds a commit or tree object, in bytes.
const maxMeta = 16 << 20

// whole reads a commit or tree into memory.
func (o *objects) whole(id, kind string) ([]byte, error) {
	w := &bounded{}
	if err := o.read(id, kind, w); err != nil {
		return nil, err
	}
	if w.size > maxMeta {
		return nil, fmt.Errorf("%s %s is larger than %d bytes", kind, id, maxMeta)
	}
	return w.kept, nil
}

// bounded keeps at most maxMeta bytes and knows whether there were more.
type bounded struct {
	kept []byte
	size int
}

// Write never fails: the object is read to its end either way.
func (b *bounded) Write(p []byte) (int, error) {
	if b.size += len(p); b.size <= maxMeta {
		b.kept = append(b.kept, p...)
	}
	return len(p), nil
}

// maxPointer is the size below which a blob may be a pointer to a file in Git LFS.
const maxPointer = 1024

// blob is what is known of a file's content in the commit.
type blob struct {
	sum     [sha256.Size]byte
	pointer string // hex SHA-256 of the file that a Git LFS pointer stands for; else empty
}

// blob reads one blob and hashes it.
func (o *objects) blob(id string) (blob, error) {
	w := &blobWriter{sum: sha256.New()}
	if err := o.read(id, "blob", w); err != nil {
		return blob{}, err
	}
	return blob{[sha256.Size]byte(w.sum.Sum(nil)), lfsPointer(w.head)}, nil
}

// blobWriter hashes all and keeps what may be a pointer.
type blobWriter struct {
	sum  hash.Hash
	head []byte
}

func (w *blobWriter) Write(p []byte) (int, error) {
	if len(w.head) <= maxPointer {
		w.head = append(w.head, p[:min(len(p), maxPointer+1-len(w.head))]...)
	}
	return w.sum.Write(p)
}

// lfsPointer is the hex SHA-256 that a Git LFS pointer holds, or empty.
// Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md#the-pointer
func lfsPointer(data []byte) string {
	text := string(data)
	if len(text) > maxPointer || !strings.HasPrefix(text, "version https://git-lfs.github.com/spec/v1\n") {
		return ""
	}
	for line := range strings.Lines(text) {
		if sum, found := strings.CutPrefix(strings.TrimSpace(line), "oid sha256:"); found {
			return sum
		}
	}
	return ""
}
