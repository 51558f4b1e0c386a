package commands

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"ctr/pipeline/broker"
)

// brokerInfo is the JSON of ctr broker, printed once it listens.
type brokerInfo struct {
	Listen string `json:"listen"`
	Dir    string `json:"dir"`
}

func brokerCommand(s *stdio) *cli.Command {
	var c common
	o := broker.Options{Listen: "127.0.0.1:9092", Dir: "ctr-broker", Partitions: 4, RetentionBytes: 256 << 20}
	return &cli.Command{
		Name: "broker", Usage: "a small broker that speaks Kafka's protocol, for trying things",
		UsageText: `ctr broker
			ctr broker --listen 127.0.0.1:19092 --dir /tmp/broker
			ctr broker --dir=               (in memory, gone at the end)`,
		Description: "It is for trying ctr, for demonstrations and for tests without a cluster: one node, no replicas, no security, and a protocol that most clients but not all tools get along with. It is no place for data that matters: use Apache Kafka for that.\n\nMessages and the offsets of groups are kept in a directory, also when the broker is killed. Topics are made by their first use. Each partition keeps about as much as --retention says; older messages are dropped. It runs until it is interrupted.",
		Flags: flags(
			group("Broker",
				addressFlag(&o.Listen, "listen", "the `ADDRESS` to listen on; port 0 is any free one"),
				stringFlag(&o.Dir, "dir", "the `DIRECTORY` that keeps messages and offsets; empty is memory"),
				wholeFlag(&o.Partitions, 1, "partitions", "`N` partitions for a topic that is made by its first use"),
				sizeFlag(&o.RetentionBytes, "retention", "keep about `SIZE` of each partition; all is -1"),
			),
			c.flags(), logFlag(s)),
		Action: func(cc *cli.Context) error { return runBroker(cc.Context, o, s, &c) },
	}
}

// runBroker serves until ctx ends, which is its normal end.
func runBroker(ctx context.Context, o broker.Options, s *stdio, c *common) error {
	b, err := broker.Start(o)
	if err != nil {
		return err
	}
	if c.json {
		err = printJSON(s.out, brokerInfo{b.Addr(), o.Dir})
	} else {
		kept := "kept in " + o.Dir
		if o.Dir == "" {
			kept = "kept in memory"
		}
		fmt.Fprintf(s.out, "listening on %s, messages %s; for trying things, not for production\n", b.Addr(), kept)
	}
	if !c.quiet && s.logger() == nil {
		brokers := ""
		if b.Addr() != "127.0.0.1:9092" {
			brokers = " --brokers " + b.Addr()
		}
		fmt.Fprintf(s.err, "In other terminals:\n  ctr replay rows.csv --topic cte_queue%s\n  ctr score --topic cte_queue%s\nCtrl-C stops it.\n", brokers, brokers)
	}
	if err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, b.Close())
}

// addressFlag takes HOST:PORT, the host empty for all of the machine's.
func addressFlag(p *string, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (string, error) {
		_, port, err := net.SplitHostPort(s)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return "", errors.New("want HOST:PORT, the port 0..65535")
		}
		return s, nil
	}, func(s string) string { return s })
}

// sizeFlag takes bytes, with K, M or G for powers of 1,024.
func sizeFlag(p *int64, name, usage string) cli.Flag {
	units := "KMG"
	return flagOf(p, name, usage, func(s string) (int64, error) {
		text := strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I"))
		shift := 0
		if i := strings.IndexByte(units, last(text)); i >= 0 {
			text, shift = text[:len(text)-1], 10*(i+1)
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < -1 || n > 1<<62>>shift {
			return 0, errors.New("want a size such as 500M or 2G")
		}
		if n < 0 {
			return n, nil
		}
		return n << shift, nil
	}, func(n int64) string {
		if n == 0 {
			return "" // not set
		}
		for i := len(units); i > 0; i-- {
			if size := int64(1) << (10 * i); n >= size && n%size == 0 {
				return strconv.FormatInt(n/size, 10) + units[i-1:i]
			}
		}
		return strconv.FormatInt(n, 10)
	})
}

// last gives the last byte of s, 0 where it is empty.
func last(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
}
