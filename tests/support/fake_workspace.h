// A workspace of a FakeDatabase and of migration files that a test writes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/execute/workspace.h"
#include "tests/support/fake_audit_store.h"
#include "tests/support/fake_database.h"
#include "tests/support/fake_operation_store.h"
#include "tests/support/temporary_directory.h"

namespace migd {

// What stands in a migration file.
struct MigrationText {
  std::string revision;
  // Comma-separated; empty for a base.
  std::string revises;
  // The sections, each with what follows its marker.
  std::string up = "\nSELECT 1;\n";
  // Without it, `-- migrate:down` is left out.
  std::string down = "";
  bool irreversible = false;
};

inline std::string ToFile(const MigrationText& text) {
  return absl::StrCat("-- step ", text.revision, "\n--\n-- Revision ID: ", text.revision,
                      "\n-- Revises: ", text.revises, "\n\n-- migrate:up", text.up,
                      text.irreversible ? "" : absl::StrCat("\n-- migrate:down", text.down, "\n"));
}

// `workspace` refers to nothing here but the files; it can be moved out and outlive this object, as
// long as nothing loads the files any more.
class FakeWorkspace {
 public:
  FakeWorkspace() : workspace_(std::make_unique<Workspace>()) {
    workspace_->name = "app";
    workspace_->scripts = std::make_shared<ScriptDirectory>(files_.path());
    auto database = std::make_unique<FakeDatabase>();
    database_ = database.get();
    workspace_->database = std::move(database);
    auto store = std::make_unique<FakeOperationStore>();
    store_ = store.get();
    workspace_->operations = std::move(store);
    auto audit = std::make_unique<FakeAuditStore>();
    audit_ = audit.get();
    workspace_->audit = std::move(audit);
    // Tests of the guard ask for it.
    ChangePolicy([](Policy& policy) { policy.destructive = DestructivePolicy::kAllow; });
  }

  // Writes `<revision>_step.sql`.
  void Write(const MigrationText& text) {
    files_.Write(absl::StrCat(text.revision, "_step.sql"), ToFile(text));
  }
  void WriteFile(const std::string& name, const std::string& contents) {
    files_.Write(name, contents);
  }

  // Changes what the workspace demands.
  void ChangePolicy(const std::function<void(Policy&)>& change) {
    Policy policy = *workspace_->policy();
    change(policy);
    workspace_->SetPolicy(policy);
  }

  FakeDatabase& database() { return *database_; }
  FakeOperationStore& store() { return *store_; }
  FakeAuditStore& audit() { return *audit_; }
  Workspace& workspace() { return *workspace_; }
  std::unique_ptr<Workspace> Take() { return std::move(workspace_); }

 private:
  TemporaryDirectory files_;
  FakeDatabase* database_;
  FakeOperationStore* store_;
  FakeAuditStore* audit_;
  std::unique_ptr<Workspace> workspace_;
};

}  // namespace migd
