package models

import (
	"errors"

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
