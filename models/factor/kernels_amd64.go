package factor

import "golang.org/x/sys/cpu"

// fast is whether the processor has the instructions of kernels_amd64.s.
var fast = cpu.X86.HasAVX

//go:noescape
func scoreAVX(base *float32, rows, next *uint64, cross *uint32, nCross int, within *uint32, nWithin int, e float32) float32

//go:noescape
func forwardAVX(base *float32, rows *uint64, cross *uint32, nCross int, within *uint32, nWithin int, e float32) float32

//go:noescape
func updateAVX(base *float32, rows, next *uint64, cross *uint32, nCross int, within *uint32, nWithin int, s *step)

//go:noescape
func momentsAVX(base *float32, rows *uint64, n int, m *moments)

//go:noescape
func lanesAVX(base *float32, rows, next *uint64, n int, sums, mask, constant *float32, s *step)
