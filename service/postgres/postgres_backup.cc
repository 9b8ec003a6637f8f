#include "service/postgres/postgres_backup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/log.h"
#include "service/base/proto_time.h"
#include "service/base/sha256.h"
#include "service/base/unique_fd.h"
#include "service/postgres/database_options.h"
#include "service/postgres/postgres_programs.h"
#include "service/postgres/status_translation.h"
#include "service/postgres/temporary_files.h"

namespace migd {
namespace {

namespace fs = std::filesystem;
using migration::v1::Backup;
using migration::v1::BackupProgress;

constexpr char kDump[] = ".dump";
constexpr char kPartial[] = ".dump.partial";
constexpr char kSum[] = ".sha256";

// pg_dump compresses, and leaves indexes out; it has hardly ever less to write than this part of
// the database's size. What is needed is not known: only what is clearly too little is refused.
constexpr int64_t kLeastPart = 20;

// pg_dump waits so long for a table that somebody has locked against reading.
constexpr absl::Duration kLockPatience = absl::Minutes(1);

// Progress is told so often.
constexpr absl::Duration kProgressInterval = absl::Milliseconds(250);

// The tables whose rows are in a backup: not those of extensions, which make their own.
constexpr char kTables[] = R"(
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1)";

absl::Status RoomHint(absl::string_view problem) {
  return errors::BackupUnavailable(problem,
                                   "make room, or name another directory with --backup-dir");
}

// For a shell, in the quotes that are the easiest to read.
std::string ShellQuoted(const std::string& text) {
  if (absl::StrContains(text, '\'') && text.find_first_of("$`\"\\!") == text.npos) {
    return absl::StrCat("\"", text, "\"");
  }
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// A path is the easiest to read without quotes.
std::string ShellQuotedIfNeeded(const std::string& path) {
  const bool is_plain = std::all_of(path.begin(), path.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("/._-+", c);
  });
  return is_plain ? path : ShellQuoted(path);
}

// What is told of a backup means the same wherever it is read.
std::string Absolute(const std::string& directory) {
  std::error_code error;
  const fs::path absolute = fs::absolute(directory, error);
  return error ? directory : absolute.lexically_normal().string();
}

// A name for files: what has a meaning in paths or shells is replaced. Then some digits tell it
// from other names of which the same is left: each database keeps and removes its own backups.
std::string FileName(const std::string& name) {
  constexpr size_t kDigits = 8;
  std::string safe = name;
  std::replace_if(
      safe.begin(), safe.end(),
      [](char c) {
        return !absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-';
      },
      '_');
  if (safe == name) return safe;
  Sha256 hash;
  hash.Update(name);
  return absl::StrCat(safe, "-", hash.FinishHex().substr(0, kDigits));
}

// Whether `file` is a finished backup of the database whose names begin with `prefix`, which a time
// follows: the names of other databases may begin in the same way.
bool IsBackup(absl::string_view file, absl::string_view prefix) {
  constexpr absl::string_view kTime = "00000000T000000Z-";
  if (!absl::ConsumePrefix(&file, prefix) || !absl::EndsWith(file, kDump)) return false;
  if (file.size() < kTime.size()) return false;
  for (size_t i = 0; i < kTime.size(); ++i) {
    const bool digit = absl::ascii_isdigit(static_cast<unsigned char>(file[i]));
    if (kTime[i] == '0' ? !digit : file[i] != kTime[i]) return false;
  }
  return true;
}

// The file that is written, locked as long as it is. Removed with this object, unless it was kept.
class PartialFile {
 public:
  static absl::StatusOr<std::unique_ptr<PartialFile>> Make(const std::string& path) {
    UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0 || flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      return RoomHint(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
    }
    return std::make_unique<PartialFile>(path, std::move(file));
  }
  PartialFile(std::string path, UniqueFd file) : path_(std::move(path)), file_(std::move(file)) {}
  ~PartialFile() {
    if (!kept_) unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }
  int descriptor() const { return file_.get(); }

  int64_t Size() const {
    struct stat found = {};
    return fstat(file_.get(), &found) == 0 ? found.st_size : 0;
  }
  // Renames it.
  bool KeepAs(const std::string& name) {
    kept_ = rename(path_.c_str(), name.c_str()) == 0;
    return kept_;
  }

 private:
  const std::string path_;
  const UniqueFd file_;
  bool kept_ = false;
};

// Follows what a program says with --verbose: the tables whose data it is at.
class TableWatch {
 public:
  // `words` stand before the name of a table, in quotes.
  TableWatch(const std::string& log, std::string words) : in_(log), words_(std::move(words)) {}

  // Reads what is new.
  void Read() {
    in_.clear();
    for (std::string line; std::getline(in_, line);) {
      if (in_.eof()) {  // not written to its end yet
        in_.clear();
        in_.seekg(-static_cast<std::streamoff>(line.size()), std::ios::cur);
        return;
      }
      const size_t at = line.find(words_);
      if (at == line.npos) continue;
      ++begun_;
      const size_t begin = at + words_.size();
      table_ = line.substr(begin, line.rfind('"') - begin);
    }
  }
  int finished() const { return std::max(0, begun_ - 1); }
  const std::string& table() const { return table_; }

 private:
  std::ifstream in_;
  const std::string words_;
  int begun_ = 0;
  std::string table_;
};

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};

// The making of one backup.
class BackupRun {
 public:
  BackupRun(PostgresDatabase& live, PostgresScratchSource& scratch, const BackupOptions& options,
            const std::string& operation, migration::v1::BackupVerification verification,
            const BackupMaker::Tick& tick, const BackupMaker::Sink& sink)
      : live_(live),
        scratch_(scratch),
        options_(options),
        directory_(Absolute(options.directory)),
        operation_(operation),
        verification_(verification),
        tick_(tick),
        sink_(sink) {}

  absl::StatusOr<Backup> Run() {
    absl::Status status = Prepare();
    if (status.ok()) status = Dump();
    if (status.ok()) status = Verify();
    if (status.ok() && restores()) status = Restore();
    if (status.ok()) status = Keep();
    if (!status.ok()) return status;
    RemoveOld();
    *backup_.mutable_duration() = ToProtoDuration(absl::Now() - start_);
    return backup_;
  }

 private:
  bool restores() const { return verification_ == migration::v1::BACKUP_VERIFICATION_RESTORE; }

  // --- What must be there before anything is done ---

  absl::Status Prepare() {
    if (options_.directory.empty()) {
      return errors::BackupUnavailable("no directory for backups is configured",
                                       "start migd with --backup-dir DIR");
    }
    std::error_code error;
    fs::create_directories(fs::path(directory_).parent_path(), error);
    if (mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) {
      return RoomHint(absl::StrCat("cannot make ", directory_, ": ", std::strerror(errno)));
    }
    absl::Status status = AskLive();
    if (status.ok()) status = FindPrograms();
    if (status.ok()) status = CheckRoom();
    if (!status.ok()) return status;
    RemovePartials();
    // Seconds are enough to order them, as one operation at a time migrates a database.
    name_ = absl::StrCat(directory_, "/", Prefix(),
                         absl::FormatTime("%Y%m%dT%H%M%SZ", start_, absl::UTCTimeZone()), "-",
                         FileName(operation_));
    auto file = PartialFile::Make(absl::StrCat(name_, kPartial));
    if (!file.ok()) return file.status();
    file_ = *std::move(file);
    auto folder = TemporaryFolder::Make("migd-backup-");
    if (!folder.ok()) return folder.status();
    folder_ = *std::move(folder);
    return absl::OkStatus();
  }

  std::string Prefix() const { return absl::StrCat(FileName(live_.name()), "-"); }

  absl::Status AskLive() {
    return live_.WithReader([&](PostgresSession& session) {
      return Translated(live_.name(), [&] {
        connection_ = ProgramConnectionOf(session.connection());
        server_version_ = session.connection().server_version();
        pqxx::nontransaction work(session.connection());
        const pqxx::row row = work.exec1(
            "SELECT pg_database_size(current_database()), current_database(), rolsuper "
            "FROM pg_roles WHERE rolname = current_user");
        database_size_ = row[0].as<int64_t>();
        database_ = row[1].as<std::string>();
        keep_owners_ = row[2].as<bool>();
        create_options_ = CreateOptionsOf(work);
        table_count_ = static_cast<int>(work.exec(kTables).size());
        return absl::OkStatus();
      });
    });
  }

  absl::Status FindPrograms() {
    const DumpPrograms found = FindDumpPrograms(options_.program_directory, server_version_);
    if (!found.found) return errors::BackupUnavailable(found.problem, found.hint);
    programs_ = *found.found;
    return absl::OkStatus();
  }

  absl::Status CheckRoom() const {
    struct statvfs room = {};
    if (statvfs(directory_.c_str(), &room) != 0) {
      return RoomHint(absl::StrCat("cannot look at ", directory_, ": ", std::strerror(errno)));
    }
    const int64_t free = static_cast<int64_t>(room.f_bavail) * static_cast<int64_t>(room.f_frsize);
    if (free >= database_size_ / kLeastPart) return absl::OkStatus();
    return RoomHint(absl::StrCat(directory_, " has room for ", free / 1000,
                                 " kB, and the database has ", database_size_ / 1000, " kB"));
  }

  // What processes that are gone have left of their backups of this database.
  void RemovePartials() const {
    std::error_code ignored;  // they are in nobody's way
    for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
      const std::string file = entry.path().filename().string();
      if (!absl::StartsWith(file, Prefix()) || !absl::EndsWith(file, kPartial)) continue;
      const UniqueFd left(open(entry.path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
      if (left.get() < 0 || flock(left.get(), LOCK_EX | LOCK_NB) != 0) continue;
      unlink(entry.path().c_str());
      LogInfo("removed what was left of a backup", {{"file", entry.path().string()}});
    }
  }

  // --- The dump ---

  absl::Status Dump() {
    *backup_.mutable_create_time() = ToProtoTimestamp(absl::Now());
    backup_.set_program_version(programs_.version);
    backup_.set_verification(verification_);
    backup_.set_server(options_.server);
    migration::v1::OperationEvent event;
    migration::v1::BackupStarted& started = *event.mutable_backup_started();
    started.set_path(absl::StrCat(name_, kDump));
    started.set_program_version(programs_.version);
    started.set_database_size_bytes(database_size_);
    sink_(std::move(event));

    std::vector<std::string> arguments = {
        programs_.PathOf("pg_dump"),
        "--format=custom",
        "--verbose",
        absl::StrCat("--lock-wait-timeout=", absl::ToInt64Milliseconds(kLockPatience)),
        "--file",
        file_->path()};
    if (restores()) {
      const absl::Status status = TakeSnapshot(arguments);
      if (!status.ok()) return status;
    }
    arguments.insert(arguments.end(), {"--dbname", connection_.conninfo});
    const absl::Status status = RunAndTell(
        arguments, connection_.environment, BackupProgress::PHASE_DUMPING,
        "dumping contents of table \"",
        absl::StrCat("see that ", directory_, " has room and that the role may read every table"));
    if (!status.ok()) return status;
    if (fsync(file_->descriptor()) == 0) return absl::OkStatus();
    return WriteFailed(file_->path());
  }

  // Sees, until the end, what pg_dump sees.
  absl::Status TakeSnapshot(std::vector<std::string>& arguments) {
    auto session = live_.ConnectForMaintenance("migd backup");
    if (!session.ok()) return session.status();
    snapshot_ = *std::move(session);
    return Translated(live_.name(), [&] {
      pqxx::nontransaction work(snapshot_->connection());
      // As pg_dump does: to be refused, rather than to count the rows that a policy shows.
      work.exec("SET row_security = off");
      work.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      arguments.push_back(absl::StrCat(
          "--snapshot=", work.exec1("SELECT pg_export_snapshot()")[0].as<std::string>()));
      return absl::OkStatus();
    });
  }

  // Runs a program, telling how far it is. `words` stand before the table in what it says.
  absl::Status RunAndTell(const std::vector<std::string>& arguments,
                          std::vector<std::string> environment, BackupProgress::Phase phase,
                          const std::string& words, absl::string_view hint) {
    // What it says is read here, hence in English.
    environment.emplace_back("LC_ALL=C");
    const std::string log = absl::StrCat(folder_->path(), "/", phase);
    std::ofstream(log).close();
    TableWatch tables(log, words);
    absl::Status stopped;
    const auto exit_status = RunProgram(arguments, log, environment, [&] {
      stopped = tick_();
      tables.Read();
      Tell(phase, tables.finished(), tables.table());
      return stopped.ok();
    });
    if (!exit_status.ok()) return exit_status.status();
    if (!stopped.ok()) return stopped;
    if (*exit_status == 0) return absl::OkStatus();
    return errors::BackupFailed(absl::StrCat(fs::path(arguments[0]).filename().string(),
                                             " failed; its output ends with:", TailOf(log)),
                                hint);
  }

  void Tell(BackupProgress::Phase phase, int finished, const std::string& table) {
    const absl::Time now = absl::Now();
    if (now - last_told_ < kProgressInterval && phase == last_phase_) return;
    last_told_ = now;
    last_phase_ = phase;
    migration::v1::OperationEvent event;
    BackupProgress& progress = *event.mutable_backup_progress();
    progress.set_phase(phase);
    progress.set_size_bytes(file_->Size());
    progress.set_finished_table_count(finished);
    progress.set_table_count(table_count_);
    progress.set_table(table);
    *progress.mutable_elapsed() = ToProtoDuration(now - start_);
    sink_(std::move(event));
  }

  // --- The verification ---

  absl::Status Verify() {
    Tell(BackupProgress::PHASE_VERIFYING, 0, "");
    const std::string hint = "see that the disk is sound; the backup is removed";
    const std::string list = folder_->path() + "/list";
    absl::Status stopped;
    const auto listed =
        RunProgram({programs_.PathOf("pg_restore"), "--list", file_->path()}, list, {}, [&] {
          stopped = tick_();
          return stopped.ok();
        });
    if (!listed.ok()) return listed.status();
    if (!stopped.ok()) return stopped;
    if (*listed != 0) {
      return errors::BackupFailed(absl::StrCat("pg_restore cannot list it:", TailOf(list)), hint);
    }
    backup_.set_table_count(CountTables(list));
    // The list is at the file's beginning; this reads all of it.
    const absl::Status status =
        RunAndTell({programs_.PathOf("pg_restore"), "--file=/dev/null", file_->path()}, {},
                   BackupProgress::PHASE_VERIFYING, "processing data for table \"", hint);
    return status.ok() ? ComputeSum() : status;
  }

  // "3325; 0 16386 TABLE DATA public items app"
  static int CountTables(const std::string& list) {
    std::ifstream in(list);
    int count = 0;
    for (std::string line; std::getline(in, line);) {
      count += absl::StrContains(line, " TABLE DATA ") && line.front() != ';' ? 1 : 0;
    }
    return count;
  }

  // Of what is on the disk, not of what the kernel remembers.
  absl::Status ComputeSum() {
    const UniqueFd file(open(file_->path().c_str(), O_RDONLY | O_CLOEXEC));
    posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    Sha256 hash;
    std::vector<char> buffer(1 << 20);
    int64_t size = 0;
    while (true) {
      const ssize_t count = read(file.get(), buffer.data(), buffer.size());
      if (count < 0) {
        return errors::BackupFailed(
            absl::StrCat("cannot read ", file_->path(), ": ", std::strerror(errno)),
            "see that the disk is sound");
      }
      if (count == 0) break;
      hash.Update({buffer.data(), static_cast<size_t>(count)});
      size += count;
      const absl::Status status = tick_();
      if (!status.ok()) return status;
    }
    backup_.set_size_bytes(size);
    backup_.set_sha256(hash.FinishHex());
    return absl::OkStatus();
  }

  // --- The verification by restoring it ---

  absl::Status Restore() {
    const auto scratch = scratch_.MakeBare();
    if (!scratch.ok()) {
      return errors::BackupFailed(scratch.status().message(),
                                  errors::ToProto(scratch.status()).hint());
    }
    PostgresDatabase& copy = (*scratch)->database();
    const auto target =
        copy.WithReader([](PostgresSession& session) -> absl::StatusOr<ProgramConnection> {
          return ProgramConnectionOf(session.connection());
        });
    if (!target.ok()) return target.status();
    std::vector<std::string> arguments = {programs_.PathOf("pg_restore"),
                                          "--exit-on-error",
                                          "--verbose",
                                          "--no-tablespaces",
                                          "--no-publications",
                                          "--no-subscriptions"};
    if (!keep_owners_) arguments.emplace_back("--no-owner");
    arguments.insert(arguments.end(), {"--dbname", target->conninfo, file_->path()});
    absl::Status status = RunAndTell(
        arguments, target->environment, BackupProgress::PHASE_RESTORING,
        "processing data for table \"", "restore it by hand to see what is missing there");
    if (status.ok()) status = CompareRows(copy);
    return status;
  }

  absl::Status CompareRows(PostgresDatabase& copy) {
    auto restored = copy.ConnectForMaintenance("migd backup");
    if (!restored.ok()) return restored.status();
    std::vector<std::string> tables;
    absl::Status status = Translated(live_.name(), [&] {
      pqxx::nontransaction work(snapshot_->connection());
      for (const pqxx::row row : work.exec(kTables)) tables.push_back(row[0].as<std::string>());
      return absl::OkStatus();
    });
    int64_t rows = 0;
    for (size_t i = 0; status.ok() && i < tables.size(); ++i) {
      Tell(BackupProgress::PHASE_COUNTING, static_cast<int>(i), tables[i]);
      const std::string sql = absl::StrCat("SELECT count(*) FROM ", tables[i]);
      const auto expected = Count(snapshot_->connection(), sql);
      if (!expected.ok()) return expected.status();
      const auto actual = Count((*restored)->connection(), sql);
      if (!actual.ok()) return actual.status();
      if (*expected != *actual) {
        return errors::BackupFailed(
            absl::StrCat("table ", tables[i], " has ", *actual, " rows when restored, and ",
                         *expected, " in the database"),
            "see that nothing keeps pg_dump from reading all of it");
      }
      rows += *expected;
    }
    backup_.set_row_count(rows);
    return status;
  }

  // A count may take as long as a large table does: the tick goes on meanwhile.
  absl::StatusOr<int64_t> Count(Connection& connection, const std::string& sql) {
    PGconn* handle = connection.handle();
    if (PQsendQuery(handle, sql.c_str()) != 1) return CountFailed(PQerrorMessage(handle));
    pollfd socket = {PQsocket(handle), POLLIN, 0};
    while (PQisBusy(handle) == 1) {
      constexpr int kTickMilliseconds = 50;
      poll(&socket, 1, kTickMilliseconds);
      if (PQconsumeInput(handle) != 1) return CountFailed(PQerrorMessage(handle));
      const absl::Status status = tick_();
      // The query ends with the connection, which the caller closes.
      if (!status.ok()) return status;
    }
    int64_t count = -1;
    std::string problem;
    while (PGresult* next = PQgetResult(handle)) {
      const std::unique_ptr<PGresult, FreeResult> result(next);
      if (PQresultStatus(next) != PGRES_TUPLES_OK) {
        problem = PQresultErrorMessage(next);
      } else if (!absl::SimpleAtoi(PQgetvalue(next, 0, 0), &count)) {
        problem = "no number";
      }
    }
    if (!problem.empty()) return CountFailed(problem);
    return count;
  }

  static absl::Status CountFailed(absl::string_view problem) {
    return errors::BackupFailed(
        absl::StrCat("the rows cannot be counted: ", absl::StripAsciiWhitespace(problem)),
        "the role must be able to read every table");
  }

  // --- The end ---

  static absl::Status WriteFailed(const std::string& path) {
    return errors::BackupFailed(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)),
                                "see that the directory has room");
  }

  absl::Status Keep() {
    const std::string path = absl::StrCat(name_, kDump);
    const std::string sum = absl::StrCat(path, kSum);
    {
      std::ofstream out(sum);
      // As sha256sum --check reads it.
      out << backup_.sha256() << "  " << fs::path(path).filename().string() << "\n" << std::flush;
      if (!out.good()) {
        unlink(sum.c_str());
        return WriteFailed(sum);
      }
    }
    if (!file_->KeepAs(path)) {
      unlink(sum.c_str());
      return WriteFailed(path);
    }
    for (const std::string& written : {sum, directory_}) {
      const UniqueFd opened(open(written.c_str(), O_RDONLY | O_CLOEXEC));
      if (opened.get() < 0 || fsync(opened.get()) != 0) return WriteFailed(written);
    }
    backup_.set_path(path);
    backup_.set_restore_command(RestoreCommand(path));
    return absl::OkStatus();
  }

  // Into a database of its own, which is made like this one: whoever restores decides what becomes
  // of the two.
  std::string RestoreCommand(const std::string& path) const {
    const std::string name = database_ + "_restored";
    const auto all = ParseConninfo(connection_.conninfo);
    if (!all.ok()) return "";
    ConnectionOptions options;
    for (const char* keyword : {"host", "hostaddr", "port", "user", "dbname", "sslmode",
                                "sslrootcert", "sslcert", "sslkey", "channel_binding"}) {
      const auto found = all->find(keyword);
      if (found != all->end()) options.insert(*found);
    }
    const std::string maintenance = FormatConninfo(options);
    options["dbname"] = name;
    return absl::StrCat(
        "psql --dbname=", ShellQuoted(maintenance), " --command=",
        ShellQuoted(absl::StrCat("CREATE DATABASE \"", absl::StrReplaceAll(name, {{"\"", "\"\""}}),
                                 "\"", create_options_)),
        " && ", ShellQuotedIfNeeded(programs_.PathOf("pg_restore")), " --exit-on-error",
        keep_owners_ ? "" : " --no-owner", " --dbname=", ShellQuoted(FormatConninfo(options)), " ",
        ShellQuoted(path));
  }

  void RemoveOld() const {
    std::vector<fs::path> backups;
    std::error_code ignored;  // one too many does no harm
    for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
      if (IsBackup(entry.path().filename().string(), Prefix())) backups.push_back(entry.path());
    }
    std::sort(backups.rbegin(), backups.rend());  // the newest first, by the time in the name
    for (size_t i = static_cast<size_t>(options_.keep); i < backups.size(); ++i) {
      fs::remove(backups[i], ignored);
      fs::remove(backups[i].string() + kSum, ignored);
      LogInfo("removed an old backup", {{"file", backups[i].string()}});
    }
  }

  PostgresDatabase& live_;
  PostgresScratchSource& scratch_;
  const BackupOptions& options_;
  const std::string directory_;
  const std::string& operation_;
  const migration::v1::BackupVerification verification_;
  const BackupMaker::Tick& tick_;
  const BackupMaker::Sink& sink_;
  const absl::Time start_ = absl::Now();
  absl::Time last_told_ = absl::InfinitePast();
  BackupProgress::Phase last_phase_ = BackupProgress::PHASE_UNSPECIFIED;

  // What Prepare finds out.
  ProgramConnection connection_;
  PostgresProgram programs_;
  std::string database_;
  std::string create_options_;
  int server_version_ = 0;
  int64_t database_size_ = 0;
  int table_count_ = 0;
  bool keep_owners_ = false;
  // The path, without its ending.
  std::string name_;
  std::unique_ptr<TemporaryFolder> folder_;
  std::unique_ptr<PartialFile> file_;
  // In a transaction that sees what pg_dump sees; null if nobody counts.
  std::unique_ptr<PostgresSession> snapshot_;
  Backup backup_;
};

}  // namespace

PostgresBackupMaker::PostgresBackupMaker(PostgresDatabase& live, PostgresScratchSource& scratch,
                                         BackupOptions options)
    : live_(live), scratch_(scratch), options_(std::move(options)) {}

absl::StatusOr<Backup> PostgresBackupMaker::Make(const std::string& operation,
                                                 migration::v1::BackupVerification verification,
                                                 const Tick& tick, const Sink& sink) {
  return BackupRun(live_, scratch_, options_, operation, verification, tick, sink).Run();
}

}  // namespace migd
