#include "service/postgres/statement_progress.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

using migration::v1::ProgressUnit;
using migration::v1::StatementProgress;

// Each of the following has a column for the relation (an oid) and those that ProgressSql tells,
// but the relation's name. They read only columns that all versions have; PostgreSQL's manual,
// "Progress Reporting", says what these count. Of a session that the role may not look at, all but
// the process id is NULL.

// CREATE INDEX and REINDEX, with CONCURRENTLY or without. The numbers of blocks stay after the scan
// that they are about, while tuples are loaded; nothing is counted while they are sorted.
constexpr absl::string_view kCreateIndex = R"(
SELECT command, relid, phase,
       CASE WHEN phase LIKE 'waiting for %' AND lockers_total > 0 THEN 'l'
            WHEN phase LIKE 'waiting for %' OR phase LIKE '%sorting%' THEN NULL
            WHEN tuples_total > 0 THEN 't'
            WHEN blocks_total > 0 THEN 'b' END AS unit,
       ARRAY[lockers_done, lockers_total] AS lockers,
       ARRAY[blocks_done, blocks_total] AS blocks,
       ARRAY[tuples_done, tuples_total] AS tuples,
       NULL::bigint[] AS bytes,
       current_locker_pid AS locker
FROM pg_stat_progress_create_index WHERE pid = $1::integer AND phase IS NOT NULL)";

// CLUSTER and VACUUM FULL. How many tuples an index leads to is not known beforehand.
constexpr absl::string_view kCluster = R"(
SELECT command, relid, phase,
       CASE phase WHEN 'seq scanning heap' THEN 'b'
                  WHEN 'index scanning heap' THEN 't'
                  WHEN 'writing new heap' THEN 't' END,
       NULL::bigint[],
       ARRAY[heap_blks_scanned, heap_blks_total],
       CASE phase WHEN 'writing new heap' THEN ARRAY[heap_tuples_written, heap_tuples_scanned]
                  ELSE ARRAY[heap_tuples_scanned, 0] END,
       NULL::bigint[], 0
FROM pg_stat_progress_cluster WHERE pid = $1::integer AND phase IS NOT NULL)";

// The indexes come between the two passes over the table, and are not counted in blocks.
constexpr absl::string_view kVacuum = R"(
SELECT 'VACUUM', relid, phase,
       CASE WHEN phase IN ('scanning heap', 'vacuuming heap') THEN 'b' END,
       NULL::bigint[],
       ARRAY[CASE phase WHEN 'vacuuming heap' THEN heap_blks_vacuumed ELSE heap_blks_scanned END,
             heap_blks_total],
       NULL::bigint[], NULL::bigint[], 0
FROM pg_stat_progress_vacuum WHERE pid = $1::integer AND phase IS NOT NULL)";

// Since PostgreSQL 13.
constexpr absl::string_view kAnalyze = R"(
SELECT 'ANALYZE', relid, phase,
       CASE WHEN phase IN ('acquiring sample rows', 'acquiring inherited sample rows')
            THEN 'b' END,
       NULL::bigint[], ARRAY[sample_blks_scanned, sample_blks_total],
       NULL::bigint[], NULL::bigint[], 0
FROM pg_stat_progress_analyze WHERE pid = $1::integer AND phase IS NOT NULL)";

// Since PostgreSQL 14. A total is known for files alone.
constexpr absl::string_view kCopy = R"(
SELECT command, relid, '', 'y', NULL::bigint[], NULL::bigint[], NULL::bigint[],
       ARRAY[bytes_processed, bytes_total], 0
FROM pg_stat_progress_copy WHERE pid = $1::integer AND command IS NOT NULL)";

ProgressUnit UnitOf(const std::string& letter) {
  if (letter == "b") return migration::v1::PROGRESS_UNIT_BLOCKS;
  if (letter == "t") return migration::v1::PROGRESS_UNIT_TUPLES;
  if (letter == "y") return migration::v1::PROGRESS_UNIT_BYTES;
  if (letter == "l") return migration::v1::PROGRESS_UNIT_LOCKERS;
  return migration::v1::PROGRESS_UNIT_UNSPECIFIED;
}

}  // namespace

std::string ProgressSql(int server_version) {
  std::string views = absl::StrCat(kCreateIndex, " UNION ALL ", kCluster, " UNION ALL ", kVacuum);
  if (server_version >= 130000) absl::StrAppend(&views, " UNION ALL ", kAnalyze);
  if (server_version >= 140000) absl::StrAppend(&views, " UNION ALL ", kCopy);
  // A relation that its transaction has made is not in the catalogue yet for others.
  return absl::StrCat(
      "SELECT command, (SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.oid = relid), "
      "phase, unit, counted[1], counted[2], locker FROM (SELECT *, CASE unit WHEN 'l' THEN lockers "
      "WHEN 'b' THEN blocks WHEN 't' THEN tuples WHEN 'y' THEN bytes END AS counted FROM (",
      views, ") AS views) AS progress LIMIT 1");
}

absl::optional<StatementProgress> FindProgress(Connection& connection, int pid) {
  pqxx::nontransaction work(connection);
  const pqxx::result found = work.exec_params(ProgressSql(connection.server_version()), pid);
  if (found.empty()) return absl::nullopt;
  const pqxx::row row = found[0];
  StatementProgress progress;
  progress.set_command(row[0].as<std::string>(""));
  progress.set_relation(ToValidUtf8(row[1].as<std::string>("")));
  progress.set_phase(row[2].as<std::string>(""));
  progress.set_unit(UnitOf(row[3].as<std::string>("")));
  progress.set_done(row[4].as<int64_t>(0));
  progress.set_total(row[5].as<int64_t>(0));
  progress.set_locker_pid(row[6].as<int>(0));
  return progress;
}

}  // namespace migd
