// POST a recipe, stream the safetensors file to disk, print each tensor's first values.
//
//     java Client.java [URL [RECIPE [OUTPUT]]]

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HexFormat;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Client {
    private static final Map<String, Integer> SIZES = Map.of(
        "F64", 8, "I64", 8, "F32", 4, "F16", 2, "BF16", 2, "F8_E4M3", 1, "F8_E5M2", 1);

    private static final String STRING = "\"((?:[^\"\\\\]|\\\\.)*+)\"";
    private static final Pattern DETAIL = Pattern.compile("\"detail\": *" + STRING);
    private static final Pattern ESCAPE = Pattern.compile("\\\\(?:u(\\p{XDigit}{4})|.)");

    // The header has one fixed form (docs/generator-v1.md), so a pattern finds every tensor in it.
    // It cannot match inside a string: there, every quote is preceded by a backslash.
    private static final Pattern ENTRY = Pattern.compile(STRING
        + ":\\{\"dtype\":\"(\\w+)\",\"shape\":(\\[[\\d,]*\\]),"
        + "\"data_offsets\":\\[(\\d+),(\\d+)\\]\\}");

    public static void main(String[] args) throws InterruptedException {
        String url = args.length > 0 ? args[0] : "http://127.0.0.1:8000";
        Path recipe = Path.of(args.length > 1 ? args[1] : "examples/recipes/mnist-mlp.json");
        Path output = Path.of(args.length > 2 ? args[2] : "model.safetensors");
        // Names are UTF-8, whatever the terminal's encoding is.
        System.setOut(new PrintStream(System.out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(System.err, true, StandardCharsets.UTF_8));
        try {
            String etag = fetch(url, recipe, output);
            printTensors(output);
            System.out.println("ETag " + etag);
        } catch (IOException error) {
            // The messages of subclasses are incomplete without the class name.
            System.err.println(error.getClass() == IOException.class ? error.getMessage() : error);
            System.exit(1);
        }
    }

    /** Writes the recipe's file to {@code output} and returns its ETag. */
    private static String fetch(String url, Path recipe, Path output)
            throws IOException, InterruptedException {
        URI weights = URI.create(url.replaceAll("/$", "") + "/v1/weights");
        HttpRequest request = HttpRequest.newBuilder(weights)
            .version(HttpClient.Version.HTTP_1_1)  // no attempt to upgrade the connection to HTTP/2
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofFile(recipe))
            .build();
        HttpResponse<InputStream> response =
            HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofInputStream());
        // Write to another file and rename it, so that the output is never incomplete.
        Path part = Path.of(output + ".part");
        try (InputStream body = response.body()) {
            if (response.statusCode() != 200) {
                throw new IOException(reason(response.statusCode(), body));
            }
            long received = Files.copy(body, part, StandardCopyOption.REPLACE_EXISTING);
            long announced = response.headers().firstValueAsLong("Content-Length").orElse(-1);
            if (received != announced) {
                throw new IOException("the body has " + received + " bytes of " + announced);
            }
            Files.move(part, output, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
        return response.headers().firstValue("ETag").orElse("");
    }

    /** Returns the service's error message; a proxy's error may not be JSON. */
    private static String reason(int status, InputStream body) throws IOException {
        Matcher detail = DETAIL.matcher(new String(body.readAllBytes(), StandardCharsets.UTF_8));
        return detail.find() ? unescape(detail.group(1)) : "HTTP " + status;
    }

    /** Prints one line for each tensor: name, dtype, shape, the bits of up to three values. */
    private static void printTensors(Path path) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "r")) {
            long length = Long.reverseBytes(file.readLong());  // Java reads big-endian
            byte[] header = new byte[Math.toIntExact(length)];
            file.readFully(header);
            Matcher entry = ENTRY.matcher(new String(header, StandardCharsets.UTF_8));
            while (entry.find()) {
                String dtype = entry.group(2);
                long begin = Long.parseLong(entry.group(4));
                long end = Long.parseLong(entry.group(5));
                int size = SIZES.get(dtype);
                byte[] data = new byte[(int) Math.min(3 * size, end - begin)];
                file.seek(8 + length + begin);
                file.readFully(data);
                String name = unescape(entry.group(1));
                System.out.println(name + " " + dtype + " " + entry.group(3) + bits(data, size));
            }
        }
    }

    /**
     * Returns each element's bits, most significant first. To compute with F32 values instead:
     * {@code ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).getFloat()}.
     */
    private static String bits(byte[] data, int size) {
        StringBuilder line = new StringBuilder();
        for (int element = 0; element < data.length; element += size) {
            line.append(' ');
            for (int i = size - 1; i >= 0; i--) {
                line.append(HexFormat.of().toHexDigits(data[element + i]));
            }
        }
        return line.toString();
    }

    /** Decodes the escapes of a JSON string; Java's escapes are the same except {@code \\u}. */
    private static String unescape(String text) {
        return ESCAPE.matcher(text).replaceAll(escape -> Matcher.quoteReplacement(
            escape.group(1) == null
                ? escape.group().translateEscapes()
                : Character.toString(Integer.parseInt(escape.group(1), 16))));
    }
}
