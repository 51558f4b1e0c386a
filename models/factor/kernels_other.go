//go:build !amd64

package factor

// fast is false: there are kernels in Go alone.
const fast = false

func scoreAVX(*float32, *uint64, *uint64, *uint32, int, *uint32, int, float32) float32 { return 0 }

func forwardAVX(*float32, *uint64, *uint32, int, *uint32, int, float32) float32 { return 0 }

func updateAVX(*float32, *uint64, *uint64, *uint32, int, *uint32, int, *step) {}

func momentsAVX(*float32, *uint64, int, *moments) {}

func lanesAVX(*float32, *uint64, *uint64, int, *float32, *float32, *float32, *step) {}
