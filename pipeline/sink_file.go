package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ctr/features"
)

// CSVHeader is the first line of a file of predictions.
const CSVHeader = "id,y,prediction,probability,timestamp,topic,partition,offset,model\n"

// TimestampForm is RFC 3339 with milliseconds.
const TimestampForm = "2006-01-02T15:04:05.000Z07:00"

// FileOptions say where predictions go.
type FileOptions struct {
	// Path is the file. One that is no regular file (a pipe, /dev/null) is
	// written from wherever it stands.
	Path string
	// Model is what the column model holds: a short hash of the model file.
	Model string
	// JSON asks for JSON lines instead of CSV.
	JSON bool
	// Append adds to a file that exists; Overwrite empties it. Without
	// either, a file with rows is continued only where Commits name it.
	Append, Overwrite bool
	// Commits are what the group had committed before it was joined. Give
	// none where reading does not begin there.
	Commits []Position
}

// FileSink writes predictions to a file, CSV or JSON lines, one write a batch, so that a row can
// be seen as soon as it is scored. A commit syncs the file to disk first, so
// that committed rows survive the machine; rows written after the last commit
// are scored again after a crash and then stand in the file twice.
//
// The metadata of its commits is OutputName of its path. While it is open,
// PATH.lock keeps other processes away.
type FileSink struct {
	path  string
	name  string
	text  PredictionText
	f     *os.File
	lock  *fileLock // nil for what is no regular file
	size  int64     // where whole rows end
	dirty bool      // something was written since the last sync
	buf   []byte
}

// OutputName is how commits name an output file: "ctr:", 12 hex digits of the
// SHA-256 of its absolute path, ":" and its base name.
func OutputName(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(dir, filepath.Base(abs))
	}
	sum := sha256.Sum256([]byte(abs))
	return "ctr:" + hex.EncodeToString(sum[:6]) + ":" + filepath.Base(abs)
}

// OpenFileSink creates or continues a file of predictions. A last line that a
// killed process left half-written is cut off. The error is a *LockedError
// where another process is writing the file.
func OpenFileSink(o FileOptions) (*FileSink, error) {
	if o.Append && o.Overwrite {
		return nil, errors.New("append, overwrite: want at most one of them")
	}
	s := &FileSink{path: o.Path, name: OutputName(o.Path), text: PredictionText{Model: o.Model, JSON: o.JSON}}
	regular := true
	if fi, err := os.Stat(o.Path); err == nil {
		if fi.IsDir() {
			return nil, fmt.Errorf("%s: a folder: want a file", o.Path)
		}
		regular = fi.Mode().IsRegular()
	}
	if !regular {
		if err := s.openStream(); err != nil {
			return nil, err
		}
		return s, nil
	}
	var err error
	if s.lock, err = lockFile(o.Path); err != nil {
		return nil, err
	}
	if err := s.openFile(o); err != nil {
		if s.f != nil {
			s.f.Close()
		}
		return nil, errors.Join(err, s.lock.release())
	}
	return s, nil
}

// header is what a file has before its rows, begin what it begins with once
// it has rows.
func (s *FileSink) header() string {
	if s.text.JSON {
		return ""
	}
	return CSVHeader
}

func (s *FileSink) begin() string { return cmp.Or(s.header(), `{"id":`) }

// NameOutput adds an output's name to the metadata of commits: there may be
// several outputs.
func NameOutput(commits []Commit, name string) {
	for i := range commits {
		if m := &commits[i].Metadata; *m == "" {
			*m = name
		} else if !names(*m, name) {
			*m += "\n" + name
		}
	}
}

// keepNames adds the names of files that the partitions' commits had before, as
// many as there is room for: a member whose partitions have moved to others
// shall know its file again when it is started anew.
func keepNames(commits []Commit) {
	for i := range commits {
		m := &commits[i].Metadata
		for _, n := range strings.Split(commits[i].Assignment.Metadata, "\n") {
			if fileName.MatchString(n) && !names(*m, n) && len(*m)+len(n) < mostMetadata {
				NameOutput(commits[i:i+1], n)
			}
		}
	}
}

// fileName is what OutputName gives.
var fileName = regexp.MustCompile(`^ctr:[0-9a-f]{12}:`)

// mostMetadata is less than what brokers take in a commit by default, 4,096
// bytes.
const mostMetadata = 3000

// names reports whether metadata names an output.
func names(metadata, name string) bool {
	return slices.Contains(strings.Split(metadata, "\n"), name)
}

func (s *FileSink) openStream() (err error) {
	if s.f, err = os.OpenFile(s.path, os.O_WRONLY, 0); err != nil {
		return err
	}
	if _, err = s.f.WriteString(s.header()); err != nil {
		s.f.Close()
	}
	return err
}

func (s *FileSink) openFile(o FileOptions) (err error) {
	if s.f, err = os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return err
	}
	fi, err := s.f.Stat()
	if err != nil {
		return err
	}
	s.size = fi.Size()
	begin := s.begin()
	head := make([]byte, min(s.size, int64(len(begin))))
	if _, err := s.f.ReadAt(head, 0); err != nil {
		return err
	}
	ours := strings.HasPrefix(begin, string(head))
	known := slices.ContainsFunc(o.Commits, func(p Position) bool { return names(p.Metadata, s.name) })
	switch {
	case o.Overwrite || ours && len(head) < len(begin):
		s.size = 0
	case !ours && (o.Append || known):
		return fmt.Errorf("%s: line 1: %s: want %s", s.path,
			strconv.Quote(string(head[:min(len(head), 40)])), strings.TrimSpace(begin))
	case o.Append || known || s.size == int64(len(s.header())):
		whole := wholeRows
		if s.text.JSON {
			whole = wholeLines
		}
		if s.size, err = whole(s.f, s.size); err != nil {
			return err
		}
	default:
		return features.WithHint(
			fmt.Errorf("%s: exists, and the group's commits do not name it", s.path),
			"--append adds to it, --overwrite replaces it")
	}
	if err := s.f.Truncate(s.size); err != nil {
		return err
	}
	if s.size == 0 {
		return s.write([]byte(s.header()))
	}
	_, err = s.f.Seek(s.size, io.SeekStart)
	return err
}

// wholeRows gives where the last whole row of a file of predictions ends. A
// line break may be part of a quoted id, so a row counts as whole only when it
// ends as rows do.
func wholeRows(f io.ReaderAt, size int64) (int64, error) {
	const step = 64 << 10
	var tail []byte // what lies between at and size
	at := size
	for at > 0 {
		from := max(0, at-step)
		part := make([]byte, at-from, at-from+int64(len(tail)))
		if _, err := f.ReadAt(part, from); err != nil {
			return 0, err
		}
		tail, at = append(part, tail...), from
		for end := bytes.LastIndexByte(tail, '\n'); end >= 0; {
			begin := bytes.LastIndexByte(tail[:end], '\n')
			if begin < 0 && at > 0 {
				break // the line may begin in the part before
			}
			if at == 0 && begin < 0 || rowEnd(tail[begin+1:end]) {
				return at + int64(end) + 1, nil
			}
			end = begin
		}
		if len(tail) > 16<<20 {
			return 0, errors.New("no row in the last 16 MiB")
		}
	}
	return 0, nil
}

// rowEnd reports whether a line ends in ",PARTITION,OFFSET,MODEL".
func rowEnd(line []byte) bool {
	for want := range 3 {
		i := bytes.LastIndexByte(line, ',')
		if i < 0 {
			return false
		}
		if _, err := strconv.ParseInt(string(line[i+1:]), 10, 64); want > 0 && err != nil {
			return false
		}
		line = line[:i]
	}
	return true
}

// Resume does nothing: that the group's commits name the file was found out
// when it was opened.
func (s *FileSink) Resume(*Assignment) error { return nil }

// Write adds the rows of b.
func (s *FileSink) Write(b *Batch) error {
	s.text.Begin(b)
	s.buf = s.buf[:0]
	b.Each(func(i int) { s.buf = s.text.Append(s.buf, b, i) })
	return s.write(s.buf)
}

// write writes whole rows or none.
func (s *FileSink) write(rows []byte) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := s.f.Write(rows); err != nil {
		if s.lock != nil {
			// Whatever fitted of the batch is cut off again; if that does not
			// succeed either, the next start does it.
			_ = s.f.Truncate(s.size)
		}
		return err
	}
	s.size += int64(len(rows))
	s.dirty = true
	return nil
}

// Commit syncs the file and names it in the commits.
func (s *FileSink) Commit(_ context.Context, commits []Commit) (owned bool, err error) {
	if s.dirty && s.lock != nil {
		if err := s.f.Sync(); err != nil {
			return false, err
		}
	}
	s.dirty = false
	NameOutput(commits, s.name)
	keepNames(commits)
	return false, nil
}

// Close closes the file and lets other processes have it.
func (s *FileSink) Close() error {
	err := s.f.Close()
	if s.lock != nil {
		err = errors.Join(err, s.lock.release())
	}
	return err
}

// appendCSV appends a field, quoted where RFC 4180 asks for it.
func appendCSV(dst, field []byte) []byte {
	if !quoteWorthy(field) {
		return append(dst, field...)
	}
	dst = append(dst, '"')
	for _, c := range field {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// quoteWorthy reports whether a field holds a comma, a quote or a line end. It
// costs a third of bytes.ContainsAny, which makes a set first.
func quoteWorthy(field []byte) bool {
	for _, c := range field {
		if c <= ',' && (c == ',' || c == '"' || c == '\r' || c == '\n') {
			return true
		}
	}
	return false
}

// appendTime appends milliseconds since 1970 as RFC 3339, in UTC.
func appendTime(dst []byte, millis int64) []byte {
	return time.UnixMilli(millis).UTC().AppendFormat(dst, TimestampForm)
}
