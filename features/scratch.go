package features

import (
	"reflect"
	"sync"
	"unsafe"
)

// Scratch hands out arrays with a number or a few for each row: from the heap
// as long as its budget lasts, then from temporary files mapped into memory,
// which have no name any more and which the system writes out and takes from
// memory as it needs to. It is safe for concurrent use. A nil Scratch takes
// everything from the heap.
type Scratch struct {
	budget *scratchBudget
	dir    string

	mu   sync.Mutex
	took int64    // of the budget
	rest []byte   // of the last file
	maps [][]byte // to be unmapped
}

// scratchBudget is what a Scratch and those that came from it share.
type scratchBudget struct {
	mu   sync.Mutex
	left int64
	err  error // why there was no file
}

// slabSize is the size of a file that small arrays share.
const slabSize = 32 << 20

// smallArray is the size below which an array is not worth a place in a file.
const smallArray = 1 << 10

// NewScratch gives a Scratch that takes at most so many bytes from the heap.
// Its files are made in the folder dir; "" is that of temporary files.
func NewScratch(heap int64, dir string) *Scratch {
	return &Scratch{budget: &scratchBudget{left: heap}, dir: dir}
}

// Child gives a Scratch of the same budget that can be closed before s is.
func (s *Scratch) Child() *Scratch {
	if s == nil {
		return nil
	}
	return &Scratch{budget: s.budget, dir: s.dir}
}

// Err tells why a file could not be made, where that is so: then arrays came
// from the heap after all.
func (s *Scratch) Err() error {
	if s == nil {
		return nil
	}
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.budget.err
}

// Close gives all memory back: nothing that Alloc gave may be used any more.
// Those that came from s by Child are not closed by it.
func (s *Scratch) Close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.maps {
		unmapScratch(m)
	}
	s.maps, s.rest = nil, nil
	s.budget.mu.Lock()
	s.budget.left += s.took
	s.budget.mu.Unlock()
	s.took = 0
}

// Alloc gives n zeros. T must be a type without pointers for them to come from
// anywhere but the heap.
func Alloc[T any](s *Scratch, n int) []T {
	var zero T
	size := int64(unsafe.Sizeof(zero)) * int64(n)
	if s == nil || size < smallArray || hasPointers(reflect.TypeFor[T]()) || s.fits(size) {
		return make([]T, n)
	}
	b := s.file(size)
	if b == nil {
		return make([]T, n)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// fits takes size bytes of the budget, if it has as many.
func (s *Scratch) fits(size int64) bool {
	s.budget.mu.Lock()
	ok := size <= s.budget.left
	if ok {
		s.budget.left -= size
	}
	s.budget.mu.Unlock()
	if ok {
		s.mu.Lock()
		s.took += size
		s.mu.Unlock()
	}
	return ok
}

// file gives size bytes of a file, at a multiple of eight; nil where there can
// be none.
func (s *Scratch) file(size int64) []byte {
	size = align8(size)
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > int64(len(s.rest)) {
		m, err := mapScratch(s.dir, max(size, slabSize))
		if err != nil {
			s.budget.mu.Lock()
			s.budget.err = err
			s.budget.mu.Unlock()
			return nil
		}
		s.maps = append(s.maps, m)
		if size >= slabSize { // a file of its own; what is left of the last stays
			return m
		}
		s.rest = m
	}
	b := s.rest[:size:size]
	s.rest = s.rest[size:]
	return b
}

// hasPointers reports whether values of t may hold pointers, which the garbage
// collector would not see in a file.
func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return false
	case reflect.Array:
		return hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	}
	return true
}
