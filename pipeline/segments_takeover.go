package pipeline

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"ctr/features"
)

// takeover brings the folder to what the group has committed of a partition:
// the committed part of the segment that the metadata names gets its final
// name, and what else its former owners left open is removed. A former owner
// may still be writing, or be taking the partition over itself, without
// knowing yet that it has lost it; a process may end between any two steps.
func (s *SegmentSink) takeover(a *Assignment, partition string) error {
	c, other, ours := parseSegmentCommit(a.Metadata)
	if ours && c.id != s.id {
		ours, other = false, a.Metadata
	}
	if other != "" && !ours && !s.o.Append {
		return features.WithHint(fmt.Errorf("the group's commit is of another output, %s: want this folder, %s", other, s.o.Dir),
			"all members of a group need the same shared folder; --append goes on in this one")
	}
	// What comes into the folder from now on may be of a later owner.
	files, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return err
	}
	if err := s.checkFinal(a, partition, files, ours); err != nil {
		return err
	}
	if ours && c.some {
		for kind, length := range c.length {
			if length == 0 {
				continue
			}
			if err := s.takeFile(a, partition, c.name, kind, length); err != nil {
				return err
			}
		}
	}
	return s.removeOpen(a, partition, files)
}

// checkFinal refuses to write rows again that the folder has.
func (s *SegmentSink) checkFinal(a *Assignment, partition string, files []os.DirEntry, ours bool) error {
	for _, f := range files {
		first, _, open, ok := parseSegmentFile(f.Name(), partition)
		if !ok || open {
			continue
		}
		if !ours && !s.o.Append && first < a.Start {
			return features.WithHint(fmt.Errorf("%s: exists, and the group's commits do not name it", s.path(f.Name())),
				"--append adds to the folder, another --output begins anew")
		}
		if first >= a.Start { // it might have to have the same name
			return features.WithHint(fmt.Errorf("%s: exists, and reading begins at offset %d", s.path(f.Name()), a.Start),
				"what is in the folder would be written again: want another --output")
		}
	}
	return nil
}

// takeFile gives the first length bytes of a segment's file its final name.
// They are copied: who wrote them may still hold the file open and write on.
func (s *SegmentSink) takeFile(a *Assignment, partition string, name segmentName, kind int, length int64) error {
	part, final := s.path(name.part(partition, kind)), s.path(name.final(partition, kind))
	for try := 0; ; try++ {
		fi, err := os.Stat(final)
		if err == nil {
			if fi.Size() != length && !s.o.whole {
				return shortened(final, fi.Size(), length)
			}
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		err = s.copyPart(a, partition, part, final, name, kind, length)
		if err == nil {
			s.note("%s: %s: %d bytes that are committed, of a member that has stopped", a, final, length)
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Who wrote it, or who else is taking it over, may have given it its
		// final name just now.
		if _, there := os.Stat(final); there != nil && try > 0 {
			if s.o.Append {
				s.note("%s: %s: not there; going on without it", a, part)
				break
			}
			return features.WithHint(fmt.Errorf("%s: not there, though the group's commit at offset %d names it", part, a.Committed),
				"all members of a group need the same shared folder; --append goes on without its rows")
		}
	}
	err := s.do("remove", func() error { return os.Remove(part) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// shortened says that a file is not as long as the group knows it to be.
func shortened(path string, size, want int64) error {
	return features.WithHint(fmt.Errorf("%s: %d bytes: want %d, as the group has committed", path, size, want),
		"all members of a group need the same shared folder, whose files nobody changes")
}

// copyPart copies what is committed of a file to its final name. An error that
// wraps fs.ErrNotExist says that the file, or its copy, has been taken away.
func (s *SegmentSink) copyPart(a *Assignment, partition, part, final string, name segmentName, kind int, length int64) error {
	from, err := os.Open(part)
	if err != nil {
		return err
	}
	defer from.Close()
	if fi, err := from.Stat(); err != nil {
		return err
	} else if fi.Size() < length {
		return shortened(part, fi.Size(), length)
	} else if s.o.whole {
		length = fi.Size()
	}
	mine := segmentName{name.first, a.Generation, randomHex(4), name.ext}
	temp := strings.TrimSuffix(s.path(mine.part(partition, kind)), ".part") + ".tmp"
	var to *os.File
	err = s.do("create copy", func() (err error) {
		to, err = os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		return err
	})
	if err != nil {
		return err
	}
	err = s.do("copy", func() error {
		_, err := io.CopyN(to, from, length)
		return err
	})
	if err == nil {
		err = s.do("sync copy", to.Sync)
	}
	if err = errors.Join(err, to.Close()); err != nil {
		if s.o.step == nil {
			_ = os.Remove(temp) // a full disk does not get fuller by trying again
		}
		return err
	}
	if err := s.do("rename copy", func() error { return os.Rename(temp, final) }); err != nil {
		return err
	}
	return s.do("sync folder", func() error { return syncFolder(s.o.Dir) })
}

// removeOpen removes what former owners of the partition left open. What a
// later owner has must stay, for it may be this process that has lost the
// partition without knowing: its files are of a later generation of the group,
// and begin where this one's commit ends or after it.
func (s *SegmentSink) removeOpen(a *Assignment, partition string, files []os.DirEntry) error {
	for _, f := range files {
		first, generation, open, ok := parseSegmentFile(f.Name(), partition)
		if !ok || !open || generation >= a.Generation && first >= a.Committed {
			continue
		}
		err := s.do("remove", func() error { return os.Remove(s.path(f.Name())) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
