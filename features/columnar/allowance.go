package columnar

import (
	"errors"
	"fmt"
	"unsafe"
)

// Allowance is how many more bytes reading may hold of memory, of all files
// that share it. What is taken is given back when it is dropped, so that it
// bounds what is held at a time. It is not for several goroutines.
type Allowance struct {
	left, all int64
	// What is unpacked adds factor times what it is more than packed, spare
	// bytes at most, of which the first owed are in all already.
	factor, spare, owed int64
}

// NewAllowance gives one of n bytes.
func NewAllowance(n int64) *Allowance { return &Allowance{left: n, all: n} }

// AllowanceFor gives one for an input of size bytes, which may be packed: factor
// times what it unpacks to, as far as that is read, where each byte counts as
// ratio bytes at most; floor bytes where that is more.
func AllowanceFor(size, factor, ratio, floor int64) *Allowance {
	a := NewAllowance(max(factor*size, floor))
	a.factor, a.spare, a.owed = factor, factor*size*(ratio-1), a.all-factor*size
	return a
}

// ErrTooLarge is at the bottom of the error of an Allowance that is used up.
var ErrTooLarge = errors.New("unpacks to too much")

// Give gives back n bytes that Take took and that are needed no more.
func (a *Allowance) Give(n int64) { a.left += n }

// Take uses n bytes, or says that so many are not left.
func (a *Allowance) Take(n int64) error {
	if n < 0 || n > a.left {
		return fmt.Errorf("%w: want at most %d bytes in all", ErrTooLarge, a.all)
	}
	a.left -= n
	return nil
}

// Unpacked tells that so many bytes of the input unpack to so many. Parquet that
// is read tells it itself.
func (a *Allowance) Unpacked(packed, to int64) {
	if to <= packed || a.factor == 0 {
		return
	}
	more := a.spare
	if to-packed < a.spare/a.factor {
		more = a.factor * (to - packed)
	}
	a.spare -= more
	owed := min(more, a.owed)
	a.owed -= owed
	a.left += more - owed
	a.all += more - owed
}

// Grow makes room for n more elements of s and takes what that holds more. With
// an error it gives s as it was.
func Grow[S ~[]E, E any](a *Allowance, s S, n int) (S, error) {
	if n <= cap(s)-len(s) {
		return s, nil
	}
	var one E
	size := int64(unsafe.Sizeof(one))
	room := int64(len(s)) + max(int64(n), int64(len(s)/2))
	if err := a.Take(room * size); err != nil {
		return s, err
	}
	out := append(make(S, 0, room), s...)
	a.Give(int64(cap(s)) * size)
	return out, nil
}
