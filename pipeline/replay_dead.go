package pipeline

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// DeadLetter is a record that could not be scored, as it was produced.
type DeadLetter struct {
	// Topic is where it came from.
	Topic      string
	Key, Value []byte // nil where it had none
	Headers    []Header
}

// DeadLetterReader calls each for every dead letter of a file or a topic. Its
// bytes are valid until each returns.
type DeadLetterReader func(ctx context.Context, each func(*DeadLetter) error) error

// DeadLetterFile reads a file that DeadLetters wrote.
func DeadLetterFile(path string) DeadLetterReader {
	return func(ctx context.Context, each func(*DeadLetter) error) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewReaderSize(f, 1<<20)
		for n := 1; ctx.Err() == nil; n++ {
			line, err := lines.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				if len(line) > 0 { // as a killed process leaves it; its record is not committed
					return fmt.Errorf("%s:%d: the line has no end", path, n)
				}
				return nil
			}
			if err != nil {
				return err
			}
			var l deadLetter
			if err := json.Unmarshal(line, &l); err != nil {
				return fmt.Errorf("%s:%d: %w", path, n, err)
			}
			if l.Topic == "" {
				return fmt.Errorf("%s:%d: no topic: want lines of a dead-letter file of ctr score", path, n)
			}
			d := DeadLetter{Topic: l.Topic, Key: bytesOf(l.Key, l.KeyBase64), Value: bytesOf(l.Value, l.ValueBase64)}
			for _, h := range l.Headers {
				d.Headers = append(d.Headers, Header{bytesOf(h.Key, h.KeyBase64), bytesOf(h.Value, h.ValueBase64)})
			}
			if err := each(&d); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
}

// bytesOf undoes textOrBytes.
func bytesOf(text *string, data []byte) []byte {
	if text != nil {
		return []byte(*text)
	}
	return data
}

// HeaderProducer is a Producer that sends headers too.
type HeaderProducer interface {
	Producer
	// SendWith is Send with headers.
	SendWith(key, value []byte, headers []Header) error
}

// ReplayDeadLetters sends dead letters again as they were produced, to topic,
// or each to its own where topic is "". open makes the producer of a topic;
// each is closed at the end. When ctx ends it stops sending, waits for the
// answers to what it has sent, and returns without an error.
func ReplayDeadLetters(ctx context.Context, read DeadLetterReader, topic string, open func(topic string) (HeaderProducer, error)) (sum ReplaySummary, err error) {
	started := time.Now()
	producers := map[string]HeaderProducer{}
	err = read(ctx, func(d *DeadLetter) error {
		sum.Read++
		to := topic
		if to == "" {
			to = d.Topic
		}
		p := producers[to]
		if p == nil {
			var err error
			if p, err = open(to); err != nil {
				return err
			}
			producers[to] = p
		}
		if err := p.SendWith(d.Key, d.Value, d.Headers); err != nil {
			return err
		}
		sum.Sent++
		return nil
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err, sum.Stopped = nil, true
	}
	last, cancel := answers(ctx)
	defer cancel()
	for _, p := range producers {
		err = errors.Join(err, p.Close(last))
		sum.Acknowledged += p.Acknowledged()
		sum.Failed += p.Failed()
	}
	sum.Seconds = time.Since(started).Seconds()
	if err == nil && sum.Failed > 0 {
		err = fmt.Errorf("%d of %d records were not taken", sum.Failed, sum.Sent)
	}
	return sum, err
}
