// What an operation says of its safety: lint, checksums, backups, schemas. Pure; safe from any
// thread.
#pragma once

#include <cstdint>
#include <string>

#include "migration/v1/operation.pb.h"

namespace migctl {

// "12 B", "3.4 MB", "1.2 TB".
std::string SizeText(int64_t bytes);

// "error", "warning" or "off".
const char* SeverityName(migration::v1::Severity severity);

// "error aa10_add.sql:7:3 index-not-concurrent: <what is wrong>; instead: <what to write>"
std::string FindingText(const migration::v1::Finding& finding);

// "2ff41522b3bc as it is now, checksum 9c1e0f22… instead of 1b0aa3d4…"
std::string ChecksumAcceptedText(const migration::v1::ChecksumAccepted& accepted);

// "to /var/backups/app.dump with pg_dump 15.4, database size 12 MB"
std::string BackupStartedText(const migration::v1::BackupStarted& started);

// "dumping, 3 of 12 tables, 1.2 MB, orders"
std::string BackupProgressText(const migration::v1::BackupProgress& progress);

// "/var/backups/app.dump, 3.4 MB, verified by restoring it in 2.3s"
std::string BackupText(const migration::v1::Backup& backup);

// "42 objects, as the files make them", "2 differences from the 42 objects that the files make", or
// why nothing could be compared.
std::string SchemaComparedText(const migration::v1::SchemaCompared& compared);

// "missing index public.orders_user_idx", "column public.users.name: type text instead of
// varchar(40)"
std::string DifferenceText(const migration::v1::SchemaDifference& difference);

}  // namespace migctl
