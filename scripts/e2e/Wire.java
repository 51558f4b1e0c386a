import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends what the console tools cannot: null and empty keys, values and headers,
 * the largest record that a topic takes, timestamps, and transactions, some of
 * which are aborted. Run by wire.sh from its source:
 *   java -cp 'libs/*' Wire.java BROKERS ROWS LARGEST
 * ROWS has a header and 1,000 rows or more, LARGEST one row that fills a batch.
 */
public class Wire {
  static KafkaProducer<byte[], byte[]> producer(String brokers, String transactions) {
    Properties p = new Properties();
    p.put("bootstrap.servers", brokers);
    p.put("key.serializer", ByteArraySerializer.class.getName());
    p.put("value.serializer", ByteArraySerializer.class.getName());
    p.put("max.request.size", 3 << 20); // the broker is to refuse, not the client
    p.put("linger.ms", 0);
    if (transactions != null) p.put("transactional.id", transactions);
    return new KafkaProducer<>(p);
  }

  static byte[] bytes(String s) { return s == null ? null : s.getBytes(StandardCharsets.UTF_8); }

  static ProducerRecord<byte[], byte[]> record(String topic, Long millis, String key, String value) {
    var r = new ProducerRecord<>(topic, 0, millis, bytes(key), bytes(value));
    r.headers().add("n", null).add("e", new byte[0]).add("", bytes("x"));
    return r;
  }

  /** Sends records one at a time: each is a batch of its own. */
  static void edges(KafkaProducer<byte[], byte[]> p, List<String> rows, byte[] largest) throws Exception {
    long millis = 1413849600123L; // 2014-10-21 00:00:00.123
    p.send(record("edges", millis, "k", rows.get(1))).get();
    p.send(record("edges", millis + 1, "", rows.get(2))).get();
    p.send(record("edges", millis + 2, null, rows.get(3))).get();
    p.send(record("edges", millis + 3, "k", null)).get();
    p.send(record("edges", millis + 4, "", "")).get();
    p.send(record("edges", millis + 5, null, null)).get();
    p.send(record("edges", 0L, "k", "no row")).get();
    p.send(new ProducerRecord<>("edges", 0, millis + 6, null, largest)).get();
    byte[] odd = largest.clone();
    Arrays.fill(odd, (byte) 'x');
    p.send(new ProducerRecord<>("edges", 0, millis + 7, null, odd)).get();
    try {
      p.send(new ProducerRecord<>("edges", 0, millis + 8, null, Arrays.copyOf(odd, odd.length + 1))).get();
      throw new IllegalStateException("a record larger than the largest was taken");
    } catch (ExecutionException e) {
      if (!(e.getCause() instanceof RecordTooLargeException)) throw e;
    }
    p.send(record("appended", millis, "k", "no row")).get(); // LogAppendTime
  }

  /** Sends rows by hundreds, each a transaction; the odd ones are aborted, the last of all too. */
  static void transactions(KafkaProducer<byte[], byte[]> p, List<String> rows) throws Exception {
    p.initTransactions();
    for (int t = 0; t < 10; t++) {
      p.beginTransaction();
      for (int i = 100 * t; i < 100 * (t + 1); i++) {
        p.send(new ProducerRecord<>("transactions", null, bytes("k" + i % 7), bytes(rows.get(1 + i))));
      }
      p.flush();
      if (t % 2 == 0) p.commitTransaction(); else p.abortTransaction();
    }
  }

  public static void main(String[] args) throws Exception {
    List<String> rows = Files.readAllLines(Path.of(args[1]));
    try (var p = producer(args[0], null)) {
      edges(p, rows, Files.readAllBytes(Path.of(args[2])));
    }
    try (var p = producer(args[0], "wire")) {
      transactions(p, rows);
    }
  }
}
