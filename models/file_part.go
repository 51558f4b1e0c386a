package models

import (
	"fmt"
	"strings"
)

// PutPart stores another model's tensors and settings under name: the tensors
// as name/TENSOR, the settings as the metadata settings/name. Part gives them
// back, so that a model made of others has each save and load itself.
func (f *File) PutPart(name string, part *File) error {
	if part.err != nil {
		return f.fail(part.err)
	}
	for tensor, t := range part.tensors {
		key := name + "/" + tensor
		if f.Has(key) {
			return f.fail(fmt.Errorf("tensor %s: there already", key))
		}
		f.tensors[key] = t
	}
	if text, ok := part.meta[metaSettings]; ok {
		return f.SetMeta(metaSettings+"/"+name, text)
	}
	return nil
}

// Part gives what PutPart stored under name. It shares the tensors of f.
func (f *File) Part(name string) *File {
	part := NewFile()
	for key, t := range f.tensors {
		if tensor, ok := strings.CutPrefix(key, name+"/"); ok && tensor != "" {
			part.tensors[tensor] = t
		}
	}
	if text, ok := f.meta[metaSettings+"/"+name]; ok {
		part.meta[metaSettings] = text
	}
	return part
}
