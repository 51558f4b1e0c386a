package models

import (
	"encoding/json"
	"fmt"

	"ctr/features"
)

// putReference stores how the training rows were spread, as JSON: it is small,
// and a reader of the file understands it.
func putReference(f *File, s *features.Spec, r *features.Reference) error {
	if r == nil {
		return nil
	}
	if err := s.CheckReference(r); err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	return f.SetMeta(metaReference, string(text))
}

// getReference is the inverse of putReference; it gives nil where there is none.
func getReference(f *File, s *features.Spec) (*features.Reference, error) {
	text := f.Meta(metaReference)
	if text == "" {
		return nil, nil
	}
	r := new(features.Reference)
	if err := json.Unmarshal([]byte(text), r); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return r, s.CheckReference(r)
}
