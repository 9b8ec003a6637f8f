#include "service/operation/operation_manager.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <thread>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"

namespace migd {
namespace {

// Lookups and pages of old events; a database that does not answer holds up one each.
constexpr int kWorkers = 4;

// One for each database: two of them may be the same to PostgreSQL, with other version tables, and
// each must be seen to live.
ServerIdentity NewIdentity() {
  absl::BitGen random;
  return {absl::Uniform(random, 1, std::numeric_limits<int>::max()), NameOfServer()};
}

// What a list has of one database: those that were read, and how far they were taken.
struct Source {
  std::vector<OperationRecord> records;
  size_t taken = 0;
  int64_t before_number = 0;

  bool has_next() const { return taken < records.size(); }
  const OperationRecord& next() const { return records[taken]; }
};

bool IsNewer(const Source& a, const Source& b) {
  return FromProtoTimestamp(a.next().operation.create_time()) >
         FromProtoTimestamp(b.next().operation.create_time());
}

// The newest that is left; null if nothing is.
Source* NewestOf(std::vector<Source>& sources) {
  Source* newest = nullptr;
  for (Source& source : sources) {
    if (source.has_next() && (newest == nullptr || IsNewer(source, *newest))) newest = &source;
  }
  return newest;
}

// Where each of `count` databases goes on.
absl::StatusOr<std::vector<int64_t>> ReadPlace(absl::string_view place, size_t count) {
  if (place.empty()) return std::vector<int64_t>(count, std::numeric_limits<int64_t>::max());
  std::vector<int64_t> numbers;
  for (const absl::string_view part : absl::StrSplit(place, ',')) {
    if (!absl::SimpleAtoi(part, &numbers.emplace_back())) numbers.pop_back();
  }
  if (numbers.size() != count) {
    return errors::InvalidRequest("page_token", "does not belong to this request");
  }
  return numbers;
}

}  // namespace

std::string NameOfServer() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return absl::StrCat(host.data(), ":", getpid());
}

OperationManager::OperationManager(OperationSettings settings)
    : settings_(settings), workers_(kWorkers) {}

OperationManager::~OperationManager() { Drain(absl::ZeroDuration()); }

void OperationManager::Follow(Workspace& workspace) {
  if (workspace.operations == nullptr) return;
  auto operations =
      std::make_unique<DatabaseOperations>(workspace, NewIdentity(), settings_, [this] {
        ++known_count_;
        new_operations_.Notify();
      });
  MutexLock lock(mutex_);
  databases_[workspace.name] = std::move(operations);
}

void OperationManager::Start(const Workspace& workspace, migration::v1::Operation wanted,
                             DatabaseOperations::OnAccepted on_accepted,
                             DatabaseOperations::MayMake may_make) {
  DatabaseOperations* operations = Of(workspace.name);
  if (operations == nullptr) return on_accepted(errors::Offline());
  wanted.set_database(workspace.name);
  operations->Start(std::move(wanted), std::move(on_accepted), std::move(may_make));
}

OperationManager::Found OperationManager::Find(absl::string_view id,
                                               const DatabaseSelection& among) {
  if (id.empty()) return errors::InvalidRequest("operation", "is empty; name an operation");
  // A database that does not answer is no reason to make those wait who ask for another's.
  for (const DatabaseOperations* database : Databases(among)) {
    if (auto known = database->FindHere(id)) return known;
  }
  std::vector<std::shared_ptr<Operation>> found;
  absl::Status trouble;
  for (DatabaseOperations* database : Databases(among)) {
    const auto of_database = database->Find(id);
    if (!of_database.ok()) {
      trouble = of_database.status();
      continue;
    }
    found.insert(found.end(), of_database->begin(), of_database->end());
  }
  const auto exact = std::find_if(found.begin(), found.end(),
                                  [id](const auto& operation) { return operation->id() == id; });
  if (exact != found.end()) return *exact;
  if (found.size() == 1 && trouble.ok()) return found.front();
  if (!trouble.ok()) return trouble;
  if (found.empty()) return errors::UnknownOperation(id);
  errors::Strings candidates;
  for (const auto& operation : found) candidates.push_back(operation->id());
  return errors::AmbiguousOperation(id, candidates);
}

void OperationManager::FindLater(std::string id, DatabaseSelection among,
                                 std::function<void(Found)> on_found) {
  workers_.Submit([this, id = std::move(id), among = std::move(among),
                   on_found = std::move(on_found)] { on_found(Find(id, among)); });
}

absl::StatusOr<OperationPage> OperationManager::List(const OperationFilter& filter,
                                                     absl::string_view place, int limit) {
  std::vector<DatabaseOperations*> databases;
  if (filter.database.empty()) {
    databases = Databases(filter.among);
  } else if (DatabaseOperations* named = Of(filter.database);
             named != nullptr && filter.among.Has(filter.database)) {
    databases = {named};
  }
  const auto numbers = ReadPlace(place, databases.size());
  if (!numbers.ok()) return numbers.status();
  OperationPage page;
  std::vector<Source> sources(databases.size());
  for (size_t i = 0; i < databases.size(); ++i) {
    sources[i].before_number = (*numbers)[i];
    auto records = databases[i]->List(filter.states, sources[i].before_number, limit + 1);
    if (!records.ok()) {
      if (!filter.database.empty()) return records.status();
      page.database_errors.push_back(records.status());
      continue;
    }
    sources[i].records = *std::move(records);
  }
  while (static_cast<int>(page.operations.size()) < limit) {
    Source* newest = NewestOf(sources);
    if (newest == nullptr) return page;
    page.operations.push_back(newest->next().operation);
    newest->before_number = newest->next().number;
    ++newest->taken;
  }
  if (NewestOf(sources) != nullptr) {
    page.rest = absl::StrJoin(sources, ",", [](std::string* out, const Source& source) {
      absl::StrAppend(out, source.before_number);
    });
  }
  return page;
}

void OperationManager::ListLater(OperationFilter filter, int limit,
                                 std::function<void(Listed)> on_listed) {
  workers_.Submit([this, filter = std::move(filter), limit, on_listed = std::move(on_listed)] {
    on_listed(List(filter, "", limit));
  });
}

std::vector<std::shared_ptr<Operation>> OperationManager::Known(
    const DatabaseSelection& among) const {
  std::vector<std::shared_ptr<Operation>> known;
  for (const DatabaseOperations* operations : Databases(among)) {
    const auto of_database = operations->Known();
    known.insert(known.end(), of_database.begin(), of_database.end());
  }
  return known;
}

void OperationManager::ReadEventsLater(std::shared_ptr<Operation> operation, int64_t after_sequence,
                                       std::function<void(absl::StatusOr<StoredEvents>)> on_read) {
  workers_.Submit(
      [this, operation = std::move(operation), after_sequence, on_read = std::move(on_read)] {
        OperationStore& store = *Of(operation->database())->workspace().operations;
        on_read(store.ReadEvents(operation->id(), after_sequence));
      });
}

absl::Status OperationManager::Cancel(const Operation& operation, const std::string& why) {
  return Of(operation.database())->Cancel(operation, why);
}

void OperationManager::Drain(absl::Duration grace) {
  // All at the same time: the grace is for all of them together.
  std::vector<std::thread> drains;
  for (DatabaseOperations* operations : Databases()) {
    drains.emplace_back([operations, grace] { operations->Drain(grace); });
  }
  for (std::thread& drain : drains) drain.join();
}

DatabaseOperations* OperationManager::Of(absl::string_view database) const {
  MutexLock lock(mutex_);
  const auto found = databases_.find(database);
  return found == databases_.end() ? nullptr : found->second.get();
}

std::vector<DatabaseOperations*> OperationManager::Databases(const DatabaseSelection& among) const {
  MutexLock lock(mutex_);
  std::vector<DatabaseOperations*> databases;
  for (const auto& [name, operations] : databases_) {
    if (among.Has(name)) databases.push_back(operations.get());
  }
  return databases;
}

}  // namespace migd
