// How files are replaced: links, existing files, null bytes, leftovers of killed writers; and weights of another
// network.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "check.hpp"
#include "io/file.hpp"
#include "striate/error.hpp"
#include "striate/idx.hpp"
#include "striate/io.hpp"
#include "weights.hpp"

using namespace striate;
using namespace striate::test;

namespace {

namespace fs = std::filesystem;

struct Folder {
    Folder() {
        std::string pattern = (fs::temp_directory_path() / "striate-test-XXXXXX").string();
        if (!mkdtemp(pattern.data())) std::abort();
        path = pattern;
    }
    ~Folder() { fs::remove_all(path); }
    std::string operator/(const std::string& name) const { return path + "/" + name; }
    std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator(path)) found.push_back(entry.path().filename().string());
        std::sort(found.begin(), found.end());
        return found;
    }
    std::string path;
};

using Names = std::vector<std::string>;

std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
void write(const std::string& path, const std::string& bytes, bool overwrite = true, bool flush = true) {
    write_file(path, bytes.data(), bytes.size(), overwrite, flush);
}
bool begins(const std::string& text, const std::string& with) {
    return text.compare(0, with.size(), with) == 0;
}
bool ends(const std::string& text, const std::string& with) {
    return text.size() >= with.size() && text.compare(text.size() - with.size(), with.size(), with) == 0;
}
int code_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const FileError& error) {
        return error.code();
    }
    return 0;
}

TEST_CASE("an existing file is replaced only if the caller asks for it") {
    const Folder folder;
    const std::string path = folder / "a";
    write(path, "one", false);
    CHECK(read_bytes(path) == "one");
    CHECK(code_of([&] { write(path, "two", false); }) == EEXIST);
    CHECK(read_bytes(path) == "one");
    CHECK_THROWS_WITH_AS(write(path, "two", false), Contains("already exists"), FileError);
    write(path, "two", true, false);
    CHECK(read_bytes(path) == "two");
    {  // Another writer comes first.
        io::AtomicFile late(folder / "b", false);
        late.write("late", 4);
        write(folder / "b", "early", false);
        CHECK(code_of([&] { late.commit(); }) == EEXIST);
        CHECK(read_bytes(folder / "b") == "early");
    }
    CHECK(folder.names() == Names({"a", "b"}));
}

TEST_CASE("a file is written through symbolic links") {
    const Folder folder;
    fs::create_directory(folder / "sub");
    fs::create_symlink("sub/real", folder / "link");
    fs::create_symlink("link", folder / "link2");
    CHECK(code_of([&] { write(folder / "link2", "x", false); }) == EEXIST);
    write(folder / "link2", "new");  // it leads to nothing yet
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(fs::is_symlink(folder / "link2"));
    CHECK(read_bytes(folder / "sub/real") == "new");
    write(folder / "link", "newer");
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(read_bytes(folder / "sub/real") == "newer");
    fs::create_symlink("loop", folder / "loop");
    CHECK(code_of([&] { write(folder / "loop", "x"); }) == ELOOP);
    write("/dev/null", "x");
    CHECK(fs::is_character_file("/dev/null"));
    CHECK(folder.names() == Names({"link", "link2", "loop", "sub"}));
}

TEST_CASE("names of files: relative, long, empty, and with a null byte") {
    const Folder folder;
    CHECK(code_of([&] { write("", "x"); }) == ENOENT);
    CHECK(code_of([&] { write(folder / "new/", "x"); }) == EISDIR);
    CHECK(code_of([&] { write(folder.path + "/", "x"); }) == EISDIR);
    CHECK(code_of([&] { write(folder / std::string(256, 'n'), "x"); }) == ENAMETOOLONG);
    write(folder / std::string(255, 'n'), "x");
    CHECK(folder.names() == Names({std::string(255, 'n')}));
    // The path is as long as may be, and its last name shorter than that of a temporary file.
    std::string deep = folder.path;
    while (deep.size() < 3800) {
        deep += "/" + std::string(200, 'd');
        fs::create_directory(deep);
    }
    deep += "/" + std::string(4090 - deep.size() - 3, 'e');
    fs::create_directory(deep);
    write(deep + "/f", "long");
    CHECK(read_bytes(deep + "/f") == "long");

    const std::string null("model\0.safetensors", 18);
    CHECK_THROWS_WITH_AS(write(null, "x"), Contains("embedded null byte in a path, after 'model'"), ValueError);
    CHECK_THROWS_WITH_AS(load_model(null), Contains("embedded null byte"), ValueError);
    CHECK_THROWS_WITH_AS(read_idx(null), Contains("embedded null byte"), ValueError);
    CHECK(!fs::exists("model"));
}

// A temporary file of a process that was killed while it wrote.
void killed_writer(const std::string& path) {
    const pid_t child = fork();
    if (child == 0) {
        io::AtomicFile file(path);
        file.write("half", 4);
        (void)!kill(getpid(), SIGKILL);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
}

// Writes until the folder holds these names: a writer does not look through a folder at every call.
void settle(const Folder& folder, const Names& wanted) {
    for (int attempt = 0; attempt < 100 && folder.names() != wanted; ++attempt) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        write(folder / "c", "c");
    }
    CHECK(folder.names() == wanted);
}

TEST_CASE("temporary files of killed writers are removed") {
    const Folder folder;
    killed_writer(folder / "a");
    const Names left = folder.names();
    REQUIRE(left.size() == 1);
    CHECK(begins(left[0], ".striate-"));
    CHECK(ends(left[0], ".tmp"));
    {
        io::AtomicFile alive(folder / "b");  // removes the dead one's
        alive.write("b", 1);
        const Names own = folder.names();
        CHECK(own.size() == 1);
        CHECK(own != left);
        killed_writer(folder / "a");
        settle(folder, {own[0], "c"});
        alive.commit();
    }
    CHECK(folder.names() == Names({"b", "c"}));
    CHECK(read_bytes(folder / "b") == "b");

    // Files of other machines and of versions without locks: only when they are old. Others: never.
    const auto ancient = fs::file_time_type::clock::now() - std::chrono::hours(25);
    const Names planted = {".striate-0badcafe-1-0.tmp", ".striate-1-0.tmp", ".striate-1-0.tmp2", ".striate-notes.tmp"};
    for (const std::string& name : planted) write(folder / name, "x");
    killed_writer(folder / "a");
    Names wanted = planted;
    wanted.insert(wanted.end(), {"b", "c"});
    settle(folder, wanted);  // the one of this machine alone
    for (const std::string& name : planted) fs::last_write_time(folder / name, ancient);
    const int locked = open((folder / planted[0]).c_str(), O_WRONLY);
    CHECK(flock(locked, LOCK_EX) == 0);
    settle(folder, {planted[0], planted[2], planted[3], "b", "c"});
    close(locked);
}

Model network(const std::vector<std::pair<std::string, int64_t>>& layers, uint64_t seed) {
    const Symbol in = input({4}, "in");
    Symbol y = in;
    for (const auto& [name, units] : layers) {
        Config config;
        config.set("units", units);
        y = striate::apply(make_layer("Dense", config, name), {y});
    }
    return Model({in}, {y}, seed);
}

// Which parameters of two models are the same bits.
Names same(const Model& a, const Model& b) {
    Names found;
    for (size_t i = 0; i < a.parameters().size(); ++i)
        for (size_t j = 0; j < b.parameters().size(); ++j) {
            const ParameterInfo &p = a.parameters()[i], &q = b.parameters()[j];
            if (p.name == q.name && p.shape == q.shape && ends(p.name, "kernel") && value_of(a, i) == value_of(b, j))
                found.push_back(p.name);
        }
    return found;
}

TEST_CASE("weights of a model with other layers are read in part") {
    const Folder folder;
    const std::string path = folder / "w";
    const Model saved = network({{"body", 3}, {"head", 5}}, 1);
    save_weights(saved, path);
    Model wider = network({{"body", 3}, {"head", 7}}, 2);
    CHECK_THROWS_WITH_AS(load_weights(wider, path), Contains("tensor 'head/kernel' has shape (3, 5)"), ValueError);
    CHECK_THROWS_WITH_AS(load_weights(wider, path, {false, true}), Contains("tensor 'head/kernel' has shape (3, 5)"),
                         ValueError);
    CHECK(same(saved, wider).empty());
    const std::vector<SkippedLayer> skipped = load_weights(wider, path, {true, false});
    REQUIRE(skipped.size() == 1);
    CHECK(skipped[0].name == "head");
    CHECK(begins(skipped[0].reason, "tensor 'head/kernel' has shape (3, 5)"));
    CHECK(same(saved, wider) == Names({"body/kernel"}));

    Model renamed = network({{"body", 3}, {"scores", 5}}, 3);
    CHECK_THROWS_WITH_AS(load_weights(renamed, path), Contains("no tensor 'scores/kernel'"), ValueError);
    CHECK(load_weights(renamed, path, {false, true}).empty());
    CHECK(same(saved, renamed) == Names({"body/kernel"}));
    Model again = network({{"body", 3}, {"scores", 5}}, 3);
    CHECK(load_weights(again, path, {true, false}).size() == 2);  // the model's scores, the file's head
    CHECK(same(saved, again) == Names({"body/kernel"}));

    Model strange = network({{"x", 3}, {"y", 5}}, 4);
    CHECK_THROWS_WITH_AS(load_weights(strange, path, {true, true}), Contains("no layer of the file fits the model"),
                         ValueError);
    CHECK(load_weights(again, path, {true, true}).empty());
}

}  // namespace
