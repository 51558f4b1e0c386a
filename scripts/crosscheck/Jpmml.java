import java.io.BufferedReader;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

import org.jpmml.evaluator.Evaluator;
import org.jpmml.evaluator.FieldValue;
import org.jpmml.evaluator.InputField;
import org.jpmml.evaluator.LoadingModelEvaluatorBuilder;

/**
 * Scores rows with JPMML's evaluator:
 *
 *   java -cp 'LIBS/*' Jpmml.java MODEL.pmml ROWS OUTPUT [MODEL.pmml ROWS OUTPUT …]
 *
 * ROWS has a row a line, the first of them names; values are separated by the
 * character 0x1F, and 0x00 alone stands for no value at all. A line of OUTPUT
 * has the probability and the prediction of a row.
 */
public class Jpmml {
	public static void main(String[] args) throws Exception {
		for (int i = 0; i + 2 < args.length; i += 3) {
			score(args[i], args[i + 1], args[i + 2]);
		}
	}

	private static void score(String model, String table, String output) throws Exception {
		Evaluator evaluator = new LoadingModelEvaluatorBuilder().load(new File(model)).build();
		evaluator.verify();
		try (BufferedReader rows = Files.newBufferedReader(Path.of(table), StandardCharsets.UTF_8);
				PrintStream out = new PrintStream(output, StandardCharsets.UTF_8)) {
			String[] names = rows.readLine().split("\u001F", -1);
			for (String line = rows.readLine(); line != null; line = rows.readLine()) {
				String[] values = line.split("\u001F", -1);
				Map<String, String> row = new LinkedHashMap<>();
				for (int i = 0; i < names.length; i++) {
					row.put(names[i], values[i].equals("\0") ? null : values[i]);
				}
				Map<String, FieldValue> arguments = new LinkedHashMap<>();
				for (InputField field : evaluator.getInputFields()) {
					arguments.put(field.getName(), field.prepare(row.get(field.getName())));
				}
				Map<String, ?> result = evaluator.evaluate(arguments);
				out.println(result.get("probability") + "\t" + result.get("prediction"));
			}
		}
	}
}
