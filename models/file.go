package models

// File is a model file in memory: a safetensors container of tensors and
// string metadata.
type File struct{}
