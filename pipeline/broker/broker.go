// Package broker is a small broker that speaks Kafka's protocol inside this
// process: for trying things out, for demonstrations and for tests. It keeps
// messages and the offsets of groups in a directory or in memory, on one node
// without replicas. It is no place for data that matters.
package broker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"ctr/features"
)

// Options are the settings of a Broker. The zero value of each field means its
// default.
type Options struct {
	// Listen is the address, HOST:PORT. The default is 127.0.0.1:9092; port 0
	// means any free one.
	Listen string
	// Dir keeps messages and offsets between runs, a killed one included.
	// The default, "", keeps them in memory.
	Dir string
	// Partitions is how many a topic gets that is made by its first use or
	// without a number. The default is 4.
	Partitions int
	// RetentionBytes is how much each partition keeps, roughly; older
	// messages are dropped. The default is 256 MiB; -1 keeps everything.
	RetentionBytes int64
	// RetentionEvery is how often retention is applied. The default is 2 s.
	RetentionEvery time.Duration
}

// segmentBytes is how large the files of a partition are. Retention drops
// batches, whole files leave the disk.
const segmentBytes = 8 << 20

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	lock    *os.File // nil without a directory
	stop    chan struct{}
	done    sync.WaitGroup
}

func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:9092"
	}
	if o.Partitions == 0 {
		o.Partitions = 4
	}
	if o.RetentionBytes == 0 {
		o.RetentionBytes = 256 << 20
	}
	if o.RetentionEvery == 0 {
		o.RetentionEvery = 2 * time.Second
	}
	return o
}

// Validate reports the first fault of o.
func (o *Options) Validate() error {
	if o.Partitions < 0 {
		return fmt.Errorf("partitions %d: want 1 or more", o.Partitions)
	}
	if o.RetentionBytes < -1 {
		return fmt.Errorf("retention %d: want -1 (everything) or a number of bytes", o.RetentionBytes)
	}
	return nil
}

// Start starts a broker. Topics are made by their first use.
func Start(o Options) (*Broker, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	_, text, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen %q: want HOST:PORT", o.Listen)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("listen %q: port %q: want 0..65535", o.Listen, text)
	}
	b := &Broker{stop: make(chan struct{})}
	if o.Dir != "" {
		if err := b.lockDir(o.Dir); err != nil {
			return nil, err
		}
	}
	opts := []kfake.Opt{
		kfake.Ports(int(port)),
		// kfake would listen on 127.0.0.1 whatever the host.
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, o.Listen) }),
		kfake.AllowAutoTopicCreation(),
		kfake.DefaultNumPartitions(o.Partitions),
		kfake.ClusterID("ctr"),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.bytes":        strconv.FormatInt(o.RetentionBytes, 10),
			"log.segment.bytes":          strconv.Itoa(segmentBytes),
			"default.replication.factor": "1",
		}),
	}
	if o.Dir != "" {
		opts = append(opts, kfake.DataDir(o.Dir))
	}
	if b.cluster, err = kfake.NewCluster(opts...); err != nil {
		b.unlockDir()
		return nil, listenError(o.Listen, err)
	}
	b.cluster.ControlKey(int16(kmsg.Metadata), b.makeTopics)
	b.done.Go(func() { b.retain(o.RetentionEvery) })
	return b, nil
}

// makeTopics makes the topics that a request for metadata is about to make by
// their first use. kfake would make them too, but write them down only when it
// is closed well: a killed broker would forget the topics, and so all that is
// in them. Requests go on to kfake, which answers them.
func (b *Broker) makeTopics(req kmsg.Request) (kmsg.Response, error, bool) { // the order is kfake's
	m, ok := req.(*kmsg.MetadataRequest)
	if !ok || !m.AllowAutoTopicCreation {
		return nil, nil, false
	}
	for _, t := range m.Topics {
		if t.Topic != nil && *t.Topic != "" && b.cluster.TopicInfo(*t.Topic) == nil {
			// A name that Kafka would refuse is left to kfake, which takes it.
			_ = b.cluster.CreateTopic(*t.Topic, 0, nil)
		}
	}
	return nil, nil, false
}

// listenError explains the commonest reason for a broker not to start.
func listenError(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return features.WithHint(
			fmt.Errorf("listen %s: another program is listening there, perhaps another broker", addr),
			"--listen HOST:PORT chooses another address")
	}
	return fmt.Errorf("broker: %w", err)
}

// lockDir makes sure that no other broker writes dir.
func (b *Broker) lockDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var err error
	b.lock, err = lockFile(filepath.Join(dir, "ctr-broker.lock"))
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%s: another broker keeps its data there", dir)
	}
	return err
}

func (b *Broker) unlockDir() {
	if b.lock != nil {
		b.lock.Close()
	}
}

// retain applies retention now and then: the cluster by itself does so only
// for topics that set it.
func (b *Broker) retain(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			b.cluster.ApplyRetention()
		case <-b.stop:
			return
		}
	}
}

// Addr gives the address that clients connect to, HOST:PORT.
func (b *Broker) Addr() string { return b.cluster.ListenAddrs()[0] }

// Close stops the broker; with a directory, all is on disk when it returns.
func (b *Broker) Close() error {
	close(b.stop)
	b.done.Wait()
	b.cluster.Close()
	b.unlockDir()
	return nil
}
