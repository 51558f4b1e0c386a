package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"ctr/features"
)

// StageReplay is the sending of rows to a topic. Its units are bytes of the
// files; rows where replay is limited or loops.
const StageReplay Stage = "replay"

// DefaultRate is how many rows a second Replay sends unless told otherwise.
const DefaultRate = 1000

// ReplayOptions are the settings of Replay.
type ReplayOptions struct {
	// Input says what files to read. Sampling, the window of time, Threads
	// and MaxBad are not used: every row is sent.
	Input
	// Rate is rows a second; 0 means DefaultRate, +Inf as fast as it goes.
	Rate float64
	// Speed, where not 0, sends rows by the data's own clock instead, so many
	// times as fast: 3600 makes an hour of a second. The rows of one hour are
	// spread evenly over it; for that the files are read once before, except
	// for standard input, whose rows are all sent at the start of their hour.
	// A row that comes after rows of a later hour is sent at once.
	Speed float64
	// Loop begins again after the last row, until the context ends or Limit.
	Loop bool
	// Limit, where not 0, is how many rows to send.
	Limit int64
	// Key is the column whose value is the key of the message, or several
	// joined by "+", whose values are then joined by 0x1F; "" = no keys.
	Key string
	// JSON sends each row as a JSON object with its columns' names instead
	// of its text in the file. A row that can't be split is sent as it is.
	JSON bool
}

// Validate reports every fault of o.
func (o *ReplayOptions) Validate() error {
	var faults []string
	if len(o.Files) == 0 {
		faults = append(faults, "no file: want at least one")
	}
	if !(o.Rate >= 0) {
		faults = append(faults, fmt.Sprintf("rate %v: want more than 0", o.Rate))
	}
	if !(o.Speed >= 0) || math.IsInf(o.Speed, 1) {
		faults = append(faults, fmt.Sprintf("speed %v: want more than 0", o.Speed))
	}
	if o.Rate != 0 && o.Speed != 0 {
		faults = append(faults, "rate, speed: want one of them")
	}
	if o.Limit < 0 {
		faults = append(faults, fmt.Sprintf("limit %d: want 1 or more", o.Limit))
	}
	if o.Loop {
		for _, f := range o.Files {
			if f == "-" {
				faults = append(faults, "loop: standard input can be read only once")
				break
			}
		}
	}
	if len(faults) > 0 {
		return errors.New("replay: " + strings.Join(faults, "; "))
	}
	return nil
}

// Producer sends messages to a topic.
type Producer interface {
	// Send takes a copy of a message; key may be nil. It may wait. An error
	// means that no more messages are taken.
	Send(key, value []byte) error
	// Acknowledged and Failed give how many messages have arrived for good,
	// and how many never will.
	Acknowledged() int64
	Failed() int64
	// Close waits for the answers to all messages, at most until ctx ends.
	Close(ctx context.Context) error
}

// ReplaySummary is what Replay did.
type ReplaySummary struct {
	// Read is how many rows were read, Sent how many the producer took.
	Read, Sent int64
	// Acknowledged rows are in the topic; Failed ones are not.
	Acknowledged, Failed int64
	Seconds              float64
	// Stopped says that the context ended before the rows did.
	Stopped bool
}

// closePatience is how long the answers to what was sent are waited for after a
// stop. Without one they are waited for as long as the producer does.
var closePatience = 30 * time.Second

// Replay sends the rows of files to a topic as a live stream, every row, bad
// ones included, but no header. It closes p. When ctx ends it stops sending,
// waits for the answers to what it has sent, and returns without an error.
func Replay(ctx context.Context, o ReplayOptions, p Producer, obs Observer) (ReplaySummary, error) {
	started := time.Now()
	r := &replay{o: o, p: p, obs: obs}
	err := r.run(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	last, cancel := answers(ctx)
	defer cancel()
	if closeErr := p.Close(last); err == nil {
		err = closeErr
	}
	sum := ReplaySummary{
		Read: r.read, Sent: r.sent, Acknowledged: p.Acknowledged(), Failed: p.Failed(),
		Seconds: time.Since(started).Seconds(), Stopped: ctx.Err() != nil,
	}
	if err == nil && sum.Failed > 0 {
		err = fmt.Errorf("%d of %d rows were not taken by the topic", sum.Failed, sum.Sent)
	}
	return sum, err
}

// errNoAnswer ends the wait for answers after a stop.
var errNoAnswer = errors.New("the brokers do not answer")

// answers gives the context of the wait for answers: the messages under way
// are worth it, even when ctx has ended.
func answers(ctx context.Context) (context.Context, context.CancelFunc) {
	last, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() {
		late := time.AfterFunc(closePatience, func() { cancel(errNoAnswer) })
		<-last.Done()
		late.Stop()
	})
	return last, func() { unwatch(); cancel(nil) }
}

// replay is one call of Replay.
type replay struct {
	o       ReplayOptions
	p       Producer
	obs     Observer
	schema  *features.Schema
	sources []source
	pace    pacer
	key     []int  // columns of the key, of the source at hand
	keyText []byte // of several columns

	read, sent int64
	block      features.Block
	text       []byte // of a row that is not sent as its file has it
	told       time.Time
	before     int64 // bytes of the files before this one
	total      int64
}

var errLimit = errors.New("limit reached")

func (r *replay) run(ctx context.Context) (err error) {
	if err := r.o.Validate(); err != nil {
		return err
	}
	if r.schema, err = r.o.schema(); err != nil {
		return err
	}
	if r.sources, err = r.o.sources(); err != nil {
		return err
	}
	rd := rowReader{sources: r.sources}
	r.total = rd.totalSize()
	switch {
	case r.o.Speed != 0:
		clock := &dataClock{speed: r.o.Speed}
		if err := r.count(ctx, clock); err != nil {
			return err
		}
		r.pace = clock
	case !math.IsInf(r.o.Rate, 1):
		rate := r.o.Rate
		if rate == 0 {
			rate = DefaultRate
		}
		r.pace = &evenPace{rate: rate}
	}
	started := time.Now()
	for {
		r.before = 0
		for i := range r.sources {
			err := r.each(ctx, &r.sources[i], func(rd rowSource, s *stream) error {
				return r.send(ctx, rd, s, r.sources[i].name, started)
			})
			if errors.Is(err, errLimit) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		if !r.o.Loop {
			return nil
		}
		if r.read == 0 {
			return errors.New("replay: no rows to loop over")
		}
		if c, ok := r.pace.(*dataClock); ok {
			c.again()
		}
	}
}

// each opens a source and calls do for it.
func (r *replay) each(ctx context.Context, src *source, do func(rowSource, *stream) error) error {
	s, err := src.open(ctx, r.o.threads())
	if err != nil {
		return err
	}
	defer s.close() //nolint:errcheck // only read
	rd, err := r.o.rows(s, src.name, r.schema)
	if err != nil {
		return err
	}
	if err := do(rd, s); err != nil {
		return err
	}
	r.before += s.pos()
	return nil
}

// column gives the place of a column of rd, and an error that names it where
// it is not there.
func column(rd rowSource, src, name, what string) (int, error) {
	at := rd.Layout().Index(name)
	if name == "" || at < 0 {
		return -1, fmt.Errorf("%s: column %q, %s: want one of %s", src, name, what, strings.Join(rd.Layout(), ", "))
	}
	return at, nil
}

// timeColumn gives the place of the column that the clock goes by.
func timeColumn(rd rowSource, src string) (int, error) {
	if rd.Schema() == nil {
		return -1, fmt.Errorf("%s: speed: want a schema that says which column is the time", src)
	}
	return column(rd, src, rd.Schema().Find(features.Time), "the time")
}

// send sends the rows of one source.
func (r *replay) send(ctx context.Context, rd rowSource, s *stream, name string, started time.Time) (err error) {
	hour := -1
	if r.key, err = r.o.keyColumns(rd, name); err != nil {
		return err
	}
	if r.o.Speed != 0 {
		if hour, err = timeColumn(rd, name); err != nil {
			return err
		}
	}
	for {
		err := rd.Next(&r.block)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.looksInside(hour) || r.block.Columnar() {
			r.block.Split()
		}
		for i := range r.block.Len() {
			if err := r.row(ctx, i, hour, started, s); err != nil {
				return err
			}
		}
	}
}

// row sends row i of the block when its time has come.
func (r *replay) row(ctx context.Context, i, hour int, started time.Time, s *stream) error {
	value := r.block.Raw(i)
	var k, h []byte
	if r.looksInside(hour) && (!r.block.Bad() || r.block.Err(i) == nil) {
		row := r.block.Row(i)
		k = r.keyOf(&row)
		if hour >= 0 {
			h = row.Field(hour)
		}
		if r.o.JSON {
			r.text = row.AppendJSON(r.text[:0], r.block.Layout())
			value = r.text
		}
	}
	if r.block.Columnar() && !r.o.JSON {
		if err := r.block.Err(i); err != nil {
			return err // there is no text to send
		}
		row := r.block.Row(i)
		r.text = row.AppendCSV(r.text[:0])
		value = r.text
	}
	if r.pace != nil {
		if err := sleepUntil(ctx, started.Add(r.pace.due(h))); err != nil {
			return err
		}
	} else if r.read&255 == 0 && ctx.Err() != nil {
		return ctx.Err()
	}
	r.read++
	if err := r.p.Send(k, value); err != nil {
		return err
	}
	r.sent++
	r.tell(s)
	if r.sent == r.o.Limit {
		return errLimit
	}
	return nil
}

// tell reports progress a few times a second.
func (r *replay) tell(s *stream) {
	if r.obs == nil || r.sent&63 != 0 {
		return
	}
	if now := time.Now(); now.Sub(r.told) >= time.Second/5 {
		r.told = now
		done, total := r.before+s.pos(), r.total
		if r.o.Limit != 0 || r.o.Loop {
			done, total = r.sent, r.o.Limit
		}
		r.obs.Progress(StageReplay, done, total,
			fmt.Sprintf("%d rows sent, %d acknowledged", r.sent, r.p.Acknowledged()))
	}
}

// count reads the files for how many rows each hour has.
func (r *replay) count(ctx context.Context, c *dataClock) error {
	if slices.ContainsFunc(r.sources, func(s source) bool { return s.path == "" }) {
		return nil // standard input can't be read twice
	}
	c.rows = map[features.Hour]int64{}
	for i := range r.sources {
		src := &r.sources[i]
		err := r.each(ctx, src, func(rd rowSource, _ *stream) error {
			hour, err := timeColumn(rd, src.name)
			if err != nil {
				return err
			}
			for ctx.Err() == nil {
				err := rd.Next(&r.block)
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				r.block.Split()
				for i := range r.block.Len() {
					row := r.block.Row(i)
					if h, ok := features.ParseHour(row.Field(hour)); ok {
						c.rows[h]++
					}
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}
