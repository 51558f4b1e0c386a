package features

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow is the most memory that a zstd frame may ask for: what `zstd
// --long` makes (128 MiB).
const maxWindow = 128 << 20

// readBuffer is how much compressed data is read at once.
const readBuffer = 256 << 10

// Input is a file or another stream of bytes, decompressed where it begins
// with the magic bytes of gzip or zstd. Several gzip members or zstd frames on
// end are one text, as the tools have it.
type Input struct {
	name   string
	size   int64
	pos    atomic.Int64
	r      io.Reader   // decompressed
	at     io.ReaderAt // the file, where it is one of known size and not packed
	packed string      // "gzip", "zstd" or ""
	close  []func() error
}

// Open opens the file at path. The error names the path and what is wrong:
// no such file, a folder, an archive of a form that can't be read.
func Open(path string) (*Input, error) {
	f, err := os.Open(path)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	in, err := newInput(f, path)
	if err != nil {
		_ = f.Close() // only read
		return nil, err
	}
	in.close = append(in.close, f.Close)
	if in.size > 0 && in.packed == "" {
		in.at = f
	}
	return in, nil
}

// OpenStdin gives an Input of r, standard input say, whose name is "stdin". It
// waits for the first bytes. Close leaves r open.
func OpenStdin(r io.Reader) (*Input, error) { return newInput(r, "stdin") }

func newInput(r io.Reader, name string) (*Input, error) {
	in := &Input{name: name}
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := f.Stat(); err == nil {
			if info.IsDir() {
				return nil, fmt.Errorf("%s: a folder: want a file", name)
			}
			if info.Mode().IsRegular() {
				in.size = info.Size()
			}
		}
	}
	var head [8]byte
	raw := &counted{r: r, n: &in.pos}
	n, err := io.ReadFull(raw, head[:])
	if err != nil && !errors.Is(err, io.EOF) && err != io.ErrUnexpectedEOF {
		return nil, in.wrap(err)
	}
	all := io.MultiReader(bytes.NewReader(head[:n]), raw)
	return in, in.unpack(head[:n], all)
}

// Forms that are told from text by their first bytes, so that they give one
// clear error and not one a row.
var foreign = []struct{ magic, what, hint string }{
	{"PK\x03\x04", "a zip archive", "unpack it first: unzip -p FILE | ctr … -"},
	{"BZh", "bzip2 data", "unpack it first: bzip2 -dc FILE | ctr … -"},
	{"\xfd7zXZ\x00", "xz data", "unpack it first: xz -dc FILE | ctr … -"},
	{cacheMagic, "a cache of ctr", "train, compare, evaluate and score read it where it is named as a file; elsewhere give the text that it was made of"},
}

func (in *Input) unpack(head []byte, r io.Reader) error {
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return WithHint(fmt.Errorf("%s: %s: want CSV or TSV, plain, gzip or zstd", in.name, f.what), f.hint)
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		in.packed = "gzip"
		z, err := gzip.NewReader(bufio.NewReaderSize(r, readBuffer))
		if err != nil {
			return in.wrap(err)
		}
		in.r = z
	case isZstd(head):
		in.packed = "zstd"
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return in.wrap(err)
		}
		in.r = z
		in.close = append(in.close, func() error { z.Close(); return nil })
	default:
		in.r = r
	}
	return nil
}

// isZstd reports a zstd frame, or a skippable one before it (RFC 8878,
// sections 3.1.1 and 3.1.2).
func isZstd(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}

// wrap names the input, and says of packed data whether it is cut or damaged.
// Other errors, of the disk say, are left as they are.
func (in *Input) wrap(err error) error {
	var pathErr *fs.PathError
	switch {
	case errors.As(err, &pathErr):
		return fmt.Errorf("%s: %w", in.name, pathErr.Err)
	case in.packed == "":
		return fmt.Errorf("%s: %w", in.name, err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%s: %s data cut short after %d bytes: %w", in.name, in.packed, in.Pos(), io.ErrUnexpectedEOF)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return WithHint(fmt.Errorf("%s: zstd window above %d MiB: %w", in.name, maxWindow>>20, err),
			"pack it again without --long, or with --long=27 at most")
	case isDamage(err):
		return fmt.Errorf("%s: %s data damaged before byte %d: %w", in.name, in.packed, in.Pos(), err)
	}
	return fmt.Errorf("%s: %w", in.name, err)
}

// isDamage reports whether a decompressor gave err: all but those of the
// operating system and of readers closed early.
func isDamage(err error) bool {
	var errno interface{ Timeout() bool } // syscall.Errno and net.Error
	return !errors.As(err, &errno) && !errors.Is(err, fs.ErrClosed) && !errors.Is(err, io.ErrClosedPipe)
}

// Read gives decompressed bytes. An error says whether packed data is damaged
// or cut short, and where.
func (in *Input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = in.wrap(err)
	}
	return n, err
}

// Peek gives the next n bytes without reading them, fewer where the input ends
// before. It is for looking at the beginning, once: each call costs a copy.
func (in *Input) Peek(n int) ([]byte, error) {
	head := make([]byte, n)
	n, err := io.ReadFull(in, head)
	head = head[:n]
	in.r = io.MultiReader(bytes.NewReader(head), in.r)
	if errors.Is(err, io.EOF) || err == io.ErrUnexpectedEOF { // ReadFull's own: one that is wrapped is damage
		err = nil
	}
	return head, err
}

// ReaderAt gives the file itself, to be read at any place, and its size. It
// is nil for packed files, standard input and what else has no size.
func (in *Input) ReaderAt() (io.ReaderAt, int64) { return in.at, in.size }

// Fingerprint reads the rest of the input and gives its length and its
// xxHash64, decompressed.
func (in *Input) Fingerprint() (n int64, sum uint64, err error) {
	h := xxhash.New()
	n, err = io.CopyBuffer(h, struct{ io.Reader }{in}, make([]byte, readBuffer))
	return n, h.Sum64(), err
}

// Name gives the path, or "stdin".
func (in *Input) Name() string { return in.name }

// Size gives the bytes of the file on disk; 0 where that is unknown, as for a
// pipe.
func (in *Input) Size() int64 { return in.size }

// Pos gives how many of the file's bytes have been read. Any goroutine may
// ask, for progress.
func (in *Input) Pos() int64 { return in.pos.Load() }

// Close ends decompression and closes the file that Open opened.
func (in *Input) Close() error {
	var errs []error
	for _, f := range in.close {
		errs = append(errs, f())
	}
	in.close = nil
	return errors.Join(errs...)
}

// counted counts what is read through it.
type counted struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// NewZstd gives the text of a zstd stream from a source that is not trusted:
// frames may ask for window bytes of memory at most. Close frees it and leaves
// r open.
func NewZstd(r io.Reader, window uint64) (io.ReadCloser, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(window), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}
