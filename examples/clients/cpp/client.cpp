// POST a recipe, stream the safetensors file to disk, print each tensor's first values.
//
//     g++ -std=c++17 -O2 client.cpp -o client
//     ./client [URL [RECIPE [OUTPUT]]]

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using Failure = std::runtime_error;

// A TCP connection, closed when it goes out of scope.
class Connection {
  public:
    Connection(const std::string& host, const std::string& port) {
        addrinfo hints{}, *found = nullptr;
        hints.ai_socktype = SOCK_STREAM;
        if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found))
            throw Failure(host + ": " + gai_strerror(error));
        // A name may have several addresses (IPv6 and IPv4): use the first that accepts.
        for (auto* a = found; a && socket_ < 0; a = a->ai_next) {
            socket_ = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
            if (socket_ >= 0 && connect(socket_, a->ai_addr, a->ai_addrlen) != 0) {
                close(socket_);
                socket_ = -1;
            }
        }
        freeaddrinfo(found);
        if (socket_ < 0) throw Failure("cannot connect to " + host + " port " + port);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { close(socket_); }

    void send(std::string_view data) {
        while (!data.empty()) {
            const auto sent = ::send(socket_, data.data(), data.size(), 0);
            // A server that refuses early stops reading: read its response, which says why.
            if (sent < 0) return;
            data.remove_prefix(sent);
        }
    }

    // Returns the next bytes that the server sends, at least one.
    std::string receive() {
        std::string data(1 << 16, '\0');
        const auto got = recv(socket_, data.data(), data.size(), 0);
        if (got <= 0) throw Failure("the connection ended before the response was complete");
        data.resize(got);
        return data;
    }

  private:
    int socket_ = -1;
};

// A response. The constructor reads the status and the headers, copy_body the body.
class Response {
  public:
    explicit Response(Connection& connection) : connection_(connection) {
        std::size_t end;
        while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
            buffer_ += connection_.receive();
        std::istringstream head(buffer_.substr(0, end));
        buffer_.erase(0, end + 4);
        std::string line;
        head >> line >> status;  // HTTP/1.1 200
        std::getline(head, line);
        while (std::getline(head, line)) {
            const auto colon = line.find(':');
            if (colon == std::string::npos) continue;
            std::string name = line.substr(0, colon);
            std::transform(name.begin(), name.end(), name.begin(),
                           [](unsigned char c) { return std::tolower(c); });
            const auto first = line.find_first_not_of(" \t", colon + 1);
            const auto last = line.find_last_not_of(" \t\r");
            headers[name] = first <= last ? line.substr(first, last - first + 1) : "";
        }
    }

    // Copies exactly Content-Length bytes, or throws.
    void copy_body(std::ostream& to) {
        if (!headers.count("content-length")) throw Failure("the response has no Content-Length");
        std::uint64_t left = std::stoull(headers["content-length"]);
        while (left > 0) {
            if (buffer_.empty()) buffer_ = connection_.receive();
            const std::uint64_t size = std::min<std::uint64_t>(left, buffer_.size());
            to.write(buffer_.data(), size);
            buffer_.erase(0, size);
            left -= size;
        }
    }

    int status = 0;
    std::map<std::string, std::string> headers;  // lower-case names

  private:
    Connection& connection_;
    std::string buffer_;
};

// A reader of JSON of a known form. The header's form is fixed (docs/generator-v1.md).
class Json {
  public:
    explicit Json(std::string text) : text_(std::move(text)) {}

    // Skips `literal` if it comes next.
    bool take(std::string_view literal) {
        if (text_.compare(at_, literal.size(), literal) != 0) return false;
        at_ += literal.size();
        return true;
    }

    void expect(std::string_view literal) {
        if (!take(literal)) throw Failure("unexpected JSON at byte " + std::to_string(at_));
    }

    // Moves behind the next `literal`; false if there is none.
    bool find(std::string_view literal) {
        const auto found = text_.find(literal, at_);
        if (found != std::string::npos) at_ = found + literal.size();
        return found != std::string::npos;
    }

    // Returns the text up to and including `last`.
    std::string until(char last) {
        const auto begin = at_;
        if (!find({&last, 1})) throw Failure("JSON ends early");
        return text_.substr(begin, at_ - begin);
    }

    std::string string() {
        std::string value;
        for (expect("\""); !take("\"");) {
            const char c = text_.at(at_++);  // at() throws when the text ends inside the string
            if (c == '\\')
                append_escaped(value);
            else
                value += c;
        }
        return value;
    }

  private:
    void append_escaped(std::string& value) {
        static const std::string letters = "bfnrt", meanings = "\b\f\n\r\t";
        const char c = text_.at(at_++);
        const auto letter = letters.find(c);
        if (c == 'u')
            append_utf8(value, code_point());
        else
            value += letter == std::string::npos ? c : meanings[letter];
    }

    std::uint32_t code_point() {
        std::uint32_t code = hexadecimal();
        if (code >= 0xD800 && code < 0xDC00 && take("\\u"))  // above U+FFFF: two escapes
            code = 0x10000 + ((code - 0xD800) << 10) + (hexadecimal() - 0xDC00);
        return code;
    }

    std::uint32_t hexadecimal() {
        at_ += 4;
        return static_cast<std::uint32_t>(std::stoul(text_.substr(at_ - 4, 4), nullptr, 16));
    }

    static void append_utf8(std::string& to, std::uint32_t code) {
        static const std::uint32_t leads[] = {0x00, 0xC0, 0xE0, 0xF0};
        int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        to += static_cast<char>(leads[more] | (code >> (6 * more)));
        while (more-- > 0) to += static_cast<char>(0x80 | ((code >> (6 * more)) & 0x3F));
    }

    std::string text_;
    std::size_t at_ = 0;
};

// Returns the service's error message; a proxy's error may not be JSON.
std::string reason(Response& response) {
    if (response.headers["content-type"].rfind("application/problem+json", 0) == 0) {
        std::ostringstream body;
        response.copy_body(body);
        Json json(body.str());
        if (json.find("\"detail\":")) {
            while (json.take(" ")) {}
            return json.string();
        }
    }
    return "HTTP " + std::to_string(response.status);
}

// Writes the recipe's file to `output` and returns its ETag.
std::string fetch(const std::string& url, const std::string& recipe, const std::string& output) {
    // Host (in brackets if IPv6), port, and the path prefix that a proxy may add.
    static const std::regex form(R"(http://((?:\[([^\]]+)\]|([^/:]+))(?::(\d+))?)(/.*[^/])?/?)");
    std::smatch match;
    if (!std::regex_match(url, match, form)) throw Failure("not an http:// URL: " + url);
    std::ifstream file(recipe, std::ios::binary);
    if (!file) throw Failure("cannot read " + recipe);
    const std::string body(std::istreambuf_iterator<char>(file), {});

    Connection connection(match.str(2) + match.str(3), match[4].matched ? match.str(4) : "80");
    connection.send("POST " + match.str(5) + "/v1/weights HTTP/1.1\r\n"
                    "Host: " + match.str(1) + "\r\n"
                    "Content-Type: application/json\r\n"
                    "Content-Length: " + std::to_string(body.size()) + "\r\n"
                    "Connection: close\r\n\r\n" + body);
    Response response(connection);
    if (response.status != 200) throw Failure(reason(response));

    // Write to another file and rename it, so that the output is never incomplete.
    const std::string part = output + ".part";
    try {
        std::ofstream to(part, std::ios::binary);
        response.copy_body(to);
        to.close();
        if (!to) throw Failure("cannot write " + part);
        std::filesystem::rename(part, output);
    } catch (...) {
        std::remove(part.c_str());
        throw;
    }
    return response.headers["etag"];
}

// Each element's bits, most significant first. To compute with an F32, put the bits together as
// print_tensors does for the header's length, and std::memcpy them into a float.
std::string bits(const std::string& data, std::size_t size) {
    static const char* const digits = "0123456789abcdef";
    std::string line;
    for (std::size_t element = 0; element < data.size(); element += size) {
        line += ' ';
        for (std::size_t i = size; i-- > 0;) {
            const auto byte = static_cast<std::uint8_t>(data[element + i]);
            line += digits[byte >> 4];
            line += digits[byte & 15];
        }
    }
    return line;
}

void skip_metadata(Json& header) {
    while (!header.take("}")) {
        header.string();
        header.expect(":");
        header.string();
        header.take(",");
    }
}

// Prints one line for each tensor: name, dtype, shape, the bits of up to three values.
void print_tensors(const std::string& path) {
    static const std::map<std::string, std::uint64_t> sizes = {
        {"F64", 8},  {"I64", 8},     {"F32", 4},    {"F16", 2},
        {"BF16", 2}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
    std::ifstream file(path, std::ios::binary);
    file.exceptions(std::ios::failbit | std::ios::badbit | std::ios::eofbit);
    const auto read = [&file](std::uint64_t size) {
        std::string bytes(size, '\0');
        file.read(bytes.data(), size);
        return bytes;
    };
    const std::string prefix = read(8);
    std::uint64_t length = 0;
    // Decode little-endian on a machine of either byte order.
    for (int i = 8; i-- > 0;) length = length << 8 | static_cast<std::uint8_t>(prefix[i]);

    Json header(read(length));
    header.expect("{");
    while (!header.take("}")) {
        const std::string name = header.string();
        header.expect(":{");
        if (name == "__metadata__") {
            skip_metadata(header);
        } else {
            header.expect("\"dtype\":");
            const std::string dtype = header.string();
            header.expect(",\"shape\":");
            const std::string shape = header.until(']');
            header.expect(",\"data_offsets\":[");
            const std::uint64_t begin = std::stoull(header.until(','));
            const std::uint64_t end = std::stoull(header.until(']'));
            header.expect("}");

            const std::uint64_t size = sizes.at(dtype);
            file.seekg(8 + length + begin);
            const std::string values = bits(read(std::min(3 * size, end - begin)), size);
            std::cout << name << ' ' << dtype << ' ' << shape << values << '\n';
        }
        header.take(",");
    }
}

}  // namespace

int main(int argc, char** argv) {
    // Writing to a connection that the server has closed must fail, not end the process.
    std::signal(SIGPIPE, SIG_IGN);
    try {
        const std::string url = argc > 1 ? argv[1] : "http://127.0.0.1:8000";
        const std::string recipe = argc > 2 ? argv[2] : "examples/recipes/mnist-mlp.json";
        const std::string output = argc > 3 ? argv[3] : "model.safetensors";
        const std::string etag = fetch(url, recipe, output);
        print_tensors(output);
        std::cout << "ETag " << etag << '\n';
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
