package pipeline

// Stage names a part of a long piece of work.
type Stage string

// The stages that training and evaluation go through.
const (
	StageRead  Stage = "read"  // rows are read and encoded; units are bytes
	StageCross Stage = "cross" // pairs of columns are searched; units are pairs
	StageFit   Stage = "fit"   // a model is fitted; units are iterations or trees
	StageJudge Stage = "judge" // metrics are taken; units are rows
	StageSpark Stage = "spark" // a Spark job works; units are its tasks
)

// Observer is told of progress. A nil Observer is told nothing.
type Observer interface {
	// Progress says that done of total units (0 = unknown) of a stage are
	// done, with a short note. It is called from one goroutine at a time.
	Progress(stage Stage, done, total int64, note string)
	// Note is one line for the person who started the work: a warning, or
	// what was chosen for them.
	Note(text string)
}
