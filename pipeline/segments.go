package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ctr/pipeline/failpoint"
)

// SegmentOptions say where predictions go that are delivered exactly once to
// files. The zero value of each field but Dir and Group means its default.
type SegmentOptions struct {
	// Dir is the folder; it is made where it is not there. All members of the
	// group need the same one.
	Dir string
	// Group is the consumer group. A folder belongs to one.
	Group string
	// Text is the form of the predictions.
	Text PredictionText
	// RotateSize is the bytes, predictions and dead letters together, from
	// which on a segment ends. The default is 128 MiB.
	RotateSize int64
	// RotateEvery is the time after which a segment ends. The default is 1 hour.
	RotateEvery time.Duration
	// Append goes on where the group's commits are of another output, where
	// the folder has earlier rows that they do not name, and without a segment
	// that is gone.
	Append bool
	// Note, where not nil, is told of what a person should know.
	Note func(text string)

	// What follows is for tests: step is called before every change of the
	// folder, and an error of it is where the process ends; whole takes
	// segments over with all that stands in them.
	step  func(name string) error
	whole bool
}

// Validate reports every fault of o.
func (o *SegmentOptions) Validate() error {
	var faults []error
	if o.Dir == "" {
		faults = append(faults, errors.New("folder: want a name"))
	}
	if o.RotateSize < 0 {
		faults = append(faults, fmt.Errorf("rotate size %d: want 0 (128 MiB) or more", o.RotateSize))
	}
	if o.RotateEvery < 0 {
		faults = append(faults, fmt.Errorf("rotate every %v: want 0 (1h) or more", o.RotateEvery))
	}
	return errors.Join(faults...)
}

// Rotation, unless one says otherwise.
const (
	DefaultRotateSize  = 128 << 20
	DefaultRotateEvery = time.Hour
)

// SegmentSink writes predictions and dead letters to a folder, exactly once,
// as files that never change once they have their final name:
//
//	TOPIC-PARTITION-FIRSTOFFSET.csv (or .jsonl)
//	TOPIC-PARTITION-FIRSTOFFSET.dead.jsonl
//
// A segment, these two files, is of one Assignment. While it is written its
// files have ".part" and a random name at their end, and the metadata of every
// commit has its name and length: so offset and output move in one step, since
// what stands after that length has not been said. Whoever has the partition
// next copies that much to the final name. A segment gets its final name by
// whoever wrote it once all in it is committed, and only then the next one
// begins: so no commit names another than the one that may not be final yet.
type SegmentSink struct {
	o       SegmentOptions
	id      string // of the folder
	tracks  map[*Assignment]*track
	buf     []byte
	letters bytes.Buffer
	fresh   bool // there are names in the folder that are not synced yet
}

// track is an Assignment and the segment that it is at, if any.
type track struct {
	partition string // what names of its files begin with
	begun     bool   // there is a segment
	since     time.Time
	commit    segmentCommit // the last one tried
	settled   segmentCommit // the last one that the group has
	files     [segmentFiles]segmentFile
}

// segmentFile is an open file; f is nil until something is to be written to it.
type segmentFile struct {
	f     *os.File
	size  int64
	dirty bool
}

// OpenSegments makes a folder an output of a group, or goes on with it.
func OpenSegments(o SegmentOptions) (*SegmentSink, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if fi, err := os.Stat(o.Dir); err == nil && !fi.IsDir() {
		return nil, fmt.Errorf("%s: a file: want a folder", o.Dir)
	}
	if failpoint.Bug("ignore-segment-length") {
		o.whole = true
	}
	if o.RotateSize == 0 {
		o.RotateSize = DefaultRotateSize
	}
	if o.RotateEvery == 0 {
		o.RotateEvery = DefaultRotateEvery
	}
	id, err := markOutput(o.Dir, o.Group)
	if err != nil {
		return nil, err
	}
	return &SegmentSink{o: o, id: id, tracks: map[*Assignment]*track{}}, nil
}

func (s *SegmentSink) path(name string) string { return filepath.Join(s.o.Dir, name) }

func (s *SegmentSink) note(format string, args ...any) {
	if s.o.Note != nil {
		s.o.Note(fmt.Sprintf(format, args...))
	}
}

// do takes one step, unless a test ends the process before it.
func (s *SegmentSink) do(name string, step func() error) error {
	if s.o.step != nil {
		if err := s.o.step(name); err != nil {
			return err
		}
	}
	failpoint.Point("segment: " + name)
	return step()
}

// Resume takes over what the partition's last owner has left: see takeover.
func (s *SegmentSink) Resume(a *Assignment) error {
	t := &track{partition: partitionPrefix(a.Topic, a.Partition), commit: segmentCommit{id: s.id}}
	t.settled = t.commit
	if err := s.takeover(a, t.partition); err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	s.tracks[a] = t
	return nil
}

// Write adds the rows and the bad records of b.
func (s *SegmentSink) Write(b *Batch) error {
	t := s.tracks[b.Assignment]
	if !t.begun {
		s.begin(t, b)
	}
	s.o.Text.Begin(b)
	s.buf = s.buf[:0]
	if t.files[rowsFile].f == nil && !s.o.Text.JSON {
		s.buf = append(s.buf, CSVHeader...)
	}
	head := len(s.buf)
	b.Each(func(i int) { s.buf = s.o.Text.Append(s.buf, b, i) })
	if len(s.buf) > head {
		if err := s.add(t, rowsFile, s.buf); err != nil {
			return err
		}
	}
	s.letters.Reset()
	if err := writeDeadLetters(&s.letters, b); err != nil {
		return err
	}
	if s.letters.Len() > 0 {
		return s.add(t, deadFile, s.letters.Bytes())
	}
	return nil
}

// begin begins a segment with the first record of b.
func (s *SegmentSink) begin(t *track, b *Batch) {
	name := segmentName{b.Records[0].Offset, b.Assignment.Generation, randomHex(4), ".csv"}
	if s.o.Text.JSON {
		name.ext = ".jsonl"
	}
	t.begun, t.since = true, time.Now()
	t.commit = segmentCommit{id: s.id, name: name, some: true}
}

// add writes lines to one of the files of the segment.
func (s *SegmentSink) add(t *track, kind int, lines []byte) error {
	to := &t.files[kind]
	if to.f == nil {
		err := s.do("create", func() (err error) {
			to.f, err = os.OpenFile(s.path(t.commit.name.part(t.partition, kind)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			return err
		})
		if err != nil {
			return err
		}
		s.fresh = true
	}
	to.dirty = true
	// Half of it first, where a test wants to end between the two.
	if s.o.step != nil {
		n, err := to.f.Write(lines[:len(lines)/2])
		if err != nil {
			return err
		}
		to.size += int64(n)
		lines = lines[n:]
	}
	return s.do("write", func() error {
		n, err := to.f.Write(lines)
		to.size += int64(n)
		return err
	})
}

// Commit syncs the files and names them in the commits, with their lengths.
func (s *SegmentSink) Commit(_ context.Context, commits []Commit) (owned bool, err error) {
	for i := range commits {
		t := s.tracks[commits[i].Assignment]
		for kind := range t.files {
			f := &t.files[kind]
			if f.dirty {
				if err := s.do("sync", f.f.Sync); err != nil {
					return false, err
				}
				f.dirty = false
			}
			t.commit.length[kind] = f.size
		}
		NameOutput(commits[i:i+1], t.commit.text())
	}
	if s.fresh {
		if err := s.do("sync folder", func() error { return syncFolder(s.o.Dir) }); err != nil {
			return false, err
		}
		s.fresh = false
	}
	return false, nil
}

// Settled ends the segments that are large or old enough.
func (s *SegmentSink) Settled(commits []Commit) error {
	for _, c := range commits {
		if t := s.tracks[c.Assignment]; t != nil {
			t.settled = t.commit
		}
	}
	for _, t := range s.tracks {
		size := t.files[rowsFile].size + t.files[deadFile].size
		if !t.begun || !t.whole() || size < s.o.RotateSize && time.Since(t.since) < s.o.RotateEvery {
			continue
		}
		if err := s.finish(t); err != nil {
			return err
		}
	}
	return nil
}

// whole reports whether the group knows of all that was written.
func (t *track) whole() bool {
	return t.settled == t.commit && t.settled.length == [segmentFiles]int64{t.files[rowsFile].size, t.files[deadFile].size}
}

// Released ends the partition's segment, if the group knows of all of it.
// Otherwise its files stay as they are: the group's next commits may name them.
func (s *SegmentSink) Released(a *Assignment, settled bool) error {
	t := s.tracks[a]
	if t == nil {
		return nil
	}
	delete(s.tracks, a)
	if settled && t.begun && t.whole() {
		return s.finish(t)
	}
	return t.close()
}

func (t *track) close() error {
	var errs []error
	for kind := range t.files {
		if f := &t.files[kind]; f.f != nil {
			errs = append(errs, f.f.Close())
			f.f = nil
		}
	}
	return errors.Join(errs...)
}

// finish gives the files of a segment their final names. Whoever has taken the
// partition over in the meantime may be doing the same.
func (s *SegmentSink) finish(t *track) error {
	c := t.settled
	for kind := range t.files {
		f := &t.files[kind]
		if f.f == nil {
			continue
		}
		err := s.do("truncate", func() error { return f.f.Truncate(c.length[kind]) })
		if err == nil {
			err = s.do("sync", f.f.Sync)
		}
		if err == nil {
			err = f.f.Close()
		}
		if err != nil {
			return err
		}
		f.f = nil
		final := s.path(c.name.final(t.partition, kind))
		err = s.do("rename", func() error { return os.Rename(s.path(c.name.part(t.partition, kind)), final) })
		if errors.Is(err, fs.ErrNotExist) {
			switch fi, gone := os.Stat(final); {
			case gone == nil && fi.Size() >= c.length[kind]:
				err = nil // whoever has the partition now was first
			case gone == nil:
				err = shortened(final, fi.Size(), c.length[kind])
			}
		}
		if err != nil {
			return err
		}
	}
	t.begun, t.files = false, [segmentFiles]segmentFile{}
	return s.do("sync folder", func() error { return syncFolder(s.o.Dir) })
}

// Close closes the files. What is committed of them gets its final name when
// the partition is taken up again.
func (s *SegmentSink) Close() error {
	var errs []error
	for _, t := range s.tracks {
		errs = append(errs, t.close())
	}
	clear(s.tracks)
	return errors.Join(errs...)
}
