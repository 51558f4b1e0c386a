package commands

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"ctr/pipeline/kafka"
)

// topicsOptions are the settings of ctr topics.
type topicsOptions struct {
	cluster                 clusterOptions
	partitions, replication int // 0 = as the brokers have it
	set                     map[string]string
	group, topic            string
}

// createdTopic is the JSON of ctr topics create.
type createdTopic struct {
	Topic   string `json:"topic"`
	Created bool   `json:"created"`
}

func topicsCommand(s *stdio) *cli.Command {
	var c common
	o := topicsOptions{cluster: newCluster(), group: "ctr-score", set: map[string]string{}}
	return &cli.Command{
		Name: "topics", Usage: "lists, creates and describes topics; shows a group's lag",
		ArgsUsage: "[create NAME | describe NAME | lag]", Args: true,
		UsageText: `ctr topics
			ctr topics create cte_queue --partitions 6 --replication 2
			ctr topics create cte_queue --set retention.ms=86400000
			ctr topics describe cte_queue
			ctr topics lag --group ctr-score`,
		Description: "Without a word it lists the topics. create makes one, and leaves one that exists as it is. describe shows where its partitions are, which replicas are in sync, which offsets they have, and the topic's own settings. lag shows how far a consumer group is with each partition, who reads it, and what rides in its commit, which for ctr score names the output.",
		Flags: flags(
			clusterFlags(&o.cluster),
			group("create",
				wholeFlag(&o.partitions, 1, "partitions", "`N` partitions; the brokers' own number by default"),
				wholeFlag(&o.replication, 1, "replication", "`N` replicas; the brokers' own number by default"),
				settingsFlag(&o.set, "set", "`NAME=VALUE` of a setting of the topic; may be repeated"),
			),
			group("lag",
				stringFlag(&o.group, "group", "`NAME` of the consumer group"),
				stringFlag(&o.topic, "topic", "only this `TOPIC`; all of the group's by default"),
			),
			c.flags()),
		Action: func(cc *cli.Context) error { return runTopics(cc, &o, s, &c) },
	}
}

func runTopics(cc *cli.Context, o *topicsOptions, s *stdio, c *common) error {
	words := cc.Args().Slice()
	verb := "list"
	if len(words) > 0 {
		verb = words[0]
	}
	want, flags := 0, []string(nil)
	switch verb {
	case "list":
	case "create":
		want, flags = 1, []string{"partitions", "replication", "set"}
	case "describe":
		want = 1
	case "lag":
		flags = []string{"group", "topic"}
	default:
		return usagef("topics %s: want create, describe, lag or list", verb)
	}
	if got := max(0, len(words)-1); got != want {
		if want == 0 {
			return usagef("topics %s: %d names: want none", verb, got)
		}
		return usagef("topics %s: %d names: want the name of one topic", verb, got)
	}
	for _, name := range []string{"partitions", "replication", "set", "group", "topic"} {
		if onCommandLine(cc, name) && !slices.Contains(flags, name) {
			return usagef("topics %s: --%s: no flag of it", verb, name)
		}
	}
	if err := o.cluster.check(s); err != nil {
		return err
	}
	cluster := o.cluster.options()
	switch verb {
	case "create":
		return createTopic(cluster, words[1], o, s, c)
	case "describe":
		info, err := kafka.DescribeTopic(cluster, words[1])
		if err != nil {
			return err
		}
		return show(s, c, info, func() { printTopic(s, info) })
	case "lag":
		lags, err := kafka.GroupLag(cluster, o.group, o.topic)
		if err != nil {
			return err
		}
		if lags == nil {
			lags = []kafka.PartitionLag{}
		}
		return show(s, c, lags, func() { printLag(s, o.group, lags) })
	}
	list, err := kafka.Topics(cluster)
	if err != nil {
		return err
	}
	if list == nil {
		list = []kafka.TopicSummary{}
	}
	return show(s, c, list, func() {
		t := table{}
		t.add("topic", "partitions", "replication")
		for _, x := range list {
			t.add(x.Name, strconv.Itoa(x.Partitions), strconv.Itoa(x.Replication))
		}
		t.print(s.out)
	})
}

// show prints a result as JSON or for people.
func show(s *stdio, c *common, v any, text func()) error {
	if c.json {
		return printJSON(s.out, v)
	}
	text()
	return nil
}

func createTopic(cluster kafka.Options, name string, o *topicsOptions, s *stdio, c *common) error {
	if o.partitions > math.MaxInt32 || o.replication > math.MaxInt16 {
		return usagef("--partitions %d, --replication %d: want fewer", o.partitions, o.replication)
	}
	made, err := kafka.CreateTopicWith(cluster, name, orBrokers(o.partitions), int16(orBrokers(o.replication)), o.set)
	if err != nil {
		return err
	}
	return show(s, c, createdTopic{name, made}, func() {
		if made {
			fmt.Fprintf(s.out, "topic %s created\n", name)
		} else {
			fmt.Fprintf(s.out, "topic %s exists, and was left as it is\n", name)
		}
	})
}

func printTopic(s *stdio, info *kafka.TopicInfo) {
	t := table{}
	t.add("partition", "leader", "replicas", "in sync", "first", "end")
	for _, p := range info.Partitions {
		t.add(strconv.Itoa(int(p.Partition)), brokerText(p.Leader), idList(p.Replicas), idList(p.InSync),
			offsetText(p.First), offsetText(p.End))
	}
	t.print(s.out)
	for _, name := range slices.Sorted(maps.Keys(info.Configs)) {
		fmt.Fprintf(s.out, "%s=%s\n", name, info.Configs[name])
	}
}

func printLag(s *stdio, group string, lags []kafka.PartitionLag) {
	if len(lags) == 0 {
		fmt.Fprintf(s.out, "group %s has committed nothing and has no members\n", group)
		return
	}
	t := table{left: map[int]bool{5: true, 6: true, 7: true}}
	t.add("topic", "partition", "committed", "end", "lag", "member", "host", "metadata")
	total := int64(0)
	for _, l := range lags {
		total += l.Lag
		t.add(l.Topic, strconv.Itoa(int(l.Partition)), offsetText(l.Committed), offsetText(l.End), thousands(l.Lag),
			orDash(l.Member), orDash(l.Host), orDash(strings.ReplaceAll(l.Metadata, "\n", " ")))
	}
	t.print(s.out)
	fmt.Fprintf(s.out, "lag %s in all\n", thousands(total))
}

func brokerText(id int32) string {
	if id < 0 {
		return "none"
	}
	return strconv.Itoa(int(id))
}

func idList(ids []int32) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(int(id))
	}
	return orDash(strings.Join(words, ","))
}

func offsetText(n int64) string {
	if n < 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// settingsFlag takes NAME=VALUE; each use adds one.
func settingsFlag(p *map[string]string, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (map[string]string, error) {
		key, text, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return nil, errors.New("want NAME=VALUE")
		}
		all := maps.Clone(*p)
		all[key] = text
		return all, nil
	}, func(map[string]string) string { return "" })
}
