package commands

import (
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
)

// memoryFlags are the flags of training on data larger than memory.
func memoryFlags(o *pipeline.TrainOptions) []cli.Flag {
	return group("Memory",
		sizeFlag(&o.Memory, "memory", "keep within about `SIZE`, such as 2G: rows that don't fit are kept in temporary files; no limit by default"),
		stringFlag(&o.ScratchDir, "scratch", "the `FOLDER` of these files; the system's for temporary files by default"),
	)
}

// limitMemory has the garbage collector work harder, where a limit is set,
// rather than let garbage pass it.
func limitMemory(size int64) {
	if size > 0 {
		debug.SetMemoryLimit(size)
	}
}
