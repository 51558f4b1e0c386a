package models

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"ctr/features"
)

// The tensors of a Snapshot, as its fields say: U64 [2], U8 [buckets] and U32
// [4 × keys].
const (
	stateHead    = "state/head"
	stateSizes   = "state/sizes"
	stateEntries = "state/entries"
)

// putState stores the State of s's history fields, if it has any.
func putState(f *File, s *features.Spec, sn *features.Snapshot) error {
	switch {
	case sn == nil && s.HasHistory():
		return errors.New("artifact with history fields and no state: want both")
	case sn == nil:
		return nil
	}
	if err := s.CheckSnapshot(sn); err != nil {
		return err
	}
	return putSnapshot(f, sn)
}

func putSnapshot(f *File, sn *features.Snapshot) error {
	return errors.Join(f.PutU64(stateHead, nil, sn.Head), f.PutU8(stateSizes, nil, sn.Sizes), f.PutU32(stateEntries, nil, sn.Entries))
}

// getState is the inverse of putState.
func getState(f *File, s *features.Spec) (sn *features.Snapshot, err error) {
	if !s.HasHistory() {
		return nil, nil
	}
	sn = &features.Snapshot{}
	if sn.Head, err = f.U64Vec(stateHead, 2); err != nil {
		return nil, err
	}
	if sn.Sizes, err = f.U8Vec(stateSizes, -1); err != nil {
		return nil, err
	}
	if sn.Entries, err = f.U32Vec(stateEntries, -1); err != nil {
		return nil, err
	}
	return sn, s.CheckSnapshot(sn)
}

// The metadata of a state file.
const (
	metaStateModel     = "model"
	metaStateTopic     = "topic"
	metaStatePartition = "partition"
	metaStateOffset    = "offset"
)

// StateFile is what history fields had seen of a topic's partition before an
// offset, in a file like a model's, without a model.
type StateFile struct {
	// Model is the Hash of the model whose State this went on from.
	Model     string
	Topic     string
	Partition int32
	// Offset is that of the first record that is not counted yet.
	Offset int64
	// State is nil where it is the model's own.
	State *features.Snapshot
}

// Write puts the file at path, as Artifact.Write does.
func (s *StateFile) Write(path string) error {
	f := NewFile()
	err := errors.Join(
		f.SetMeta(metaStateModel, s.Model), f.SetMeta(metaStateTopic, s.Topic),
		f.SetMeta(metaStatePartition, strconv.FormatInt(int64(s.Partition), 10)),
		f.SetMeta(metaStateOffset, strconv.FormatInt(s.Offset, 10)))
	if s.State != nil {
		err = errors.Join(err, putSnapshot(f, s.State))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return replaceFile(osFS{}, path, func(w io.Writer) error {
		_, err := f.WriteTo(w)
		return err
	})
}

// OpenState reads what StateFile.Write wrote for a model with history fields.
// The error is fs.ErrNotExist where there is no file.
func OpenState(path string, spec *features.Spec) (*StateFile, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, pathError(path, err)
	}
	defer in.Close() // only read
	info, err := in.Stat()
	if err != nil {
		return nil, pathError(path, err)
	}
	f, err := ReadFile(in, info.Size())
	if err != nil {
		return nil, pathError(path, err)
	}
	s, err := stateOf(f, spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func stateOf(f *File, spec *features.Spec) (*StateFile, error) {
	s := &StateFile{Model: f.Meta(metaStateModel), Topic: f.Meta(metaStateTopic)}
	partition, err := strconv.ParseInt(f.Meta(metaStatePartition), 10, 32)
	if err != nil || partition < 0 {
		return nil, fmt.Errorf("partition %s: want a number from 0", shorten(f.Meta(metaStatePartition)))
	}
	s.Partition = int32(partition)
	if s.Offset, err = strconv.ParseInt(f.Meta(metaStateOffset), 10, 64); err != nil || s.Offset < 0 {
		return nil, fmt.Errorf("offset %s: want a number from 0", shorten(f.Meta(metaStateOffset)))
	}
	if f.Has(stateHead) {
		s.State, err = getState(f, spec)
	}
	return s, err
}
