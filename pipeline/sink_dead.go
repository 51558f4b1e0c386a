package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// DeadLetters writes the records that could not be scored, one JSON object a
// line:
//
//	{"topic":…,"partition":…,"offset":…,"timestamp":…,"reason":…,"key":…,"value":…,"headers":[{"key":…,"value":…}]}
//
// timestamp is when the message was produced. value, key and headers are as
// produced; where they are not UTF-8, value_base64 and key_base64 stand in their
// place, and a message without a key has neither. The file is created with the first
// bad record and only ever added to. What belongs to a commit is on disk
// before the commit.
type DeadLetters struct {
	path  string
	f     *os.File
	lock  *fileLock
	size  int64
	dirty bool
	buf   bytes.Buffer
}

// DeadLetterPath gives where the dead letters of an output file go unless one
// says otherwise: OUTPUT without ".csv" and with ".dead.jsonl".
func DeadLetterPath(output string) string {
	return strings.TrimSuffix(output, ".csv") + ".dead.jsonl"
}

// NewDeadLetters gives a sink for the bad records of all batches.
func NewDeadLetters(path string) *DeadLetters { return &DeadLetters{path: path} }

// deadLetter is one line.
type deadLetter struct {
	Topic       string  `json:"topic"`
	Partition   int32   `json:"partition"`
	Offset      int64   `json:"offset"`
	Timestamp   string  `json:"timestamp,omitempty"`
	Reason      string  `json:"reason"`
	Key         *string `json:"key,omitempty"`
	KeyBase64   []byte  `json:"key_base64,omitempty"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 []byte  `json:"value_base64,omitempty"`

	Headers []deadHeader `json:"headers,omitempty"`
}

type deadHeader struct {
	Key         *string `json:"key,omitempty"`
	KeyBase64   []byte  `json:"key_base64,omitempty"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 []byte  `json:"value_base64,omitempty"`
}

// Resume does nothing.
func (d *DeadLetters) Resume(*Assignment) error { return nil }

// Write adds the bad records of b.
func (d *DeadLetters) Write(b *Batch) error {
	if len(b.Bad) == 0 {
		return nil
	}
	if d.f == nil {
		if err := d.open(); err != nil {
			return err
		}
	}
	d.buf.Reset()
	enc := json.NewEncoder(&d.buf)
	enc.SetEscapeHTML(false)
	for _, bad := range b.Bad {
		r := &b.Records[bad.Index]
		l := deadLetter{
			Topic: b.Assignment.Topic, Partition: b.Assignment.Partition,
			Offset: r.Offset, Reason: bad.Err.Error(),
		}
		if r.Millis >= 0 {
			l.Timestamp = string(appendTime(nil, r.Millis))
		}
		l.Key, l.KeyBase64 = textOrBytes(r.Key)
		l.Value, l.ValueBase64 = textOrBytes(r.Value)
		for _, h := range r.Headers {
			var d deadHeader
			d.Key, d.KeyBase64 = textOrBytes(h.Key)
			d.Value, d.ValueBase64 = textOrBytes(h.Value)
			l.Headers = append(l.Headers, d)
		}
		if err := enc.Encode(&l); err != nil {
			return err
		}
	}
	if _, err := d.f.Write(d.buf.Bytes()); err != nil {
		if d.lock != nil {
			_ = d.f.Truncate(d.size) // or else the next start does it
		}
		return err
	}
	d.size += int64(d.buf.Len())
	d.dirty = true
	return nil
}

// textOrBytes gives data as text if it is UTF-8, else as bytes; neither where
// it is nil.
func textOrBytes(data []byte) (*string, []byte) {
	if data == nil {
		return nil, nil
	}
	if utf8.Valid(data) {
		s := string(data)
		return &s, nil
	}
	return nil, data
}

// open creates the file or goes to the end of its last whole line. What is no
// regular file is written from wherever it stands.
func (d *DeadLetters) open() (err error) {
	if fi, err := os.Stat(d.path); err == nil && !fi.Mode().IsRegular() {
		d.f, err = os.OpenFile(d.path, os.O_WRONLY, 0)
		return err
	}
	if d.lock, err = lockFile(d.path); err != nil {
		return err
	}
	if d.f, err = os.OpenFile(d.path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return err
	}
	fi, err := d.f.Stat()
	if err != nil {
		return err
	}
	if d.size, err = wholeLines(d.f, fi.Size()); err != nil {
		return err
	}
	if err := d.f.Truncate(d.size); err != nil {
		return err
	}
	_, err = d.f.Seek(d.size, io.SeekStart)
	return err
}

// wholeLines gives where the last line that has an end ends.
func wholeLines(f io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for at := size; at > 0; {
		from := max(0, at-int64(len(buf)))
		part := buf[:at-from]
		if _, err := f.ReadAt(part, from); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		at = from
	}
	return 0, nil
}

// Commit syncs the file.
func (d *DeadLetters) Commit(context.Context, []Commit) (owned bool, err error) {
	if d.dirty && d.lock != nil {
		if err := d.f.Sync(); err != nil {
			return false, err
		}
	}
	d.dirty = false
	return false, nil
}

// Close closes the file, if there is one.
func (d *DeadLetters) Close() error {
	var err error
	if d.f != nil {
		err = d.f.Close()
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.release())
	}
	return err
}
