// What the catalogue of a database says of the relations that a plan names.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace migd {

// As PostgreSQL folds it. Without a schema, where the search_path finds it.
struct CatalogName {
  std::string schema;
  std::string name;

  friend auto operator<=>(const CatalogName&, const CatalogName&) = default;
};

// An object that is to be dropped: what a DROP names. The kinds are those of DroppedThing
// (service/sql/statement_effects.h).
struct DropTarget {
  std::string kind;
  CatalogName name;
  std::string part;

  friend auto operator<=>(const DropTarget&, const DropTarget&) = default;
};

// What is asked at once.
struct CatalogQuestion {
  std::set<CatalogName> relations;
  std::set<CatalogName> types;
  std::set<CatalogName> functions;
  std::set<DropTarget> drops;

  bool empty() const {
    return relations.empty() && types.empty() && functions.empty() && drops.empty();
  }
};

// The number of a relation in its catalogue.
using RelationId = uint32_t;

struct ColumnFacts {
  // As format_type has it, such as "character varying(40)"; the type under a domain is
  // `base_type`.
  std::string type;
  std::string base_type;
  bool not_null = false;
  // A valid CHECK (... IS NOT NULL), or NOT NULL.
  bool proven_not_null = false;
  // A CHECK of the table looks at it.
  bool is_checked = false;
  // An index of the table holds it, or is made of what holds it.
  bool is_indexed = false;
  // Of the planner's statistics; negative if there are none.
  double null_fraction = -1;
  int64_t average_width = -1;
};

struct ForeignKeyFacts {
  std::string name;
  RelationId referencing = 0;
  RelationId referenced = 0;
  std::vector<std::string> referencing_columns;
  std::vector<std::string> referenced_columns;
};

struct RelationFacts {
  std::string schema;
  std::string name;
  // As in pg_class: r table, p partitioned table, i and I index, v view, m materialized view,
  // S sequence, f foreign table, c composite type.
  char kind = 'r';
  // The planner's estimate; -1 if there is none.
  int64_t estimated_rows = -1;
  // Without indexes, and with them; TOAST is among both. -1 if that could not be read without
  // waiting for a lock.
  int64_t size_bytes = -1;
  int64_t total_bytes = -1;
  std::map<std::string, ColumnFacts> columns;
  std::vector<RelationId> children;
  std::vector<RelationId> indexes;
  std::vector<RelationId> sequences;
  // Of an index; 0 for other relations.
  RelationId table = 0;
  // The partition for what has no other; 0 if there is none.
  RelationId default_partition = 0;
  // What it is a partition of; 0 if it is none.
  RelationId partition_of = 0;
  // Those that refer from it, and to it.
  std::vector<ForeignKeyFacts> foreign_keys;
};

struct TypeFacts {
  // A domain with a constraint, its own or of a domain beneath.
  bool has_constraints = false;
  // Of a domain: the type beneath it all, as format_type has it; of others, the type.
  std::string base_type;
  // The tables with a column of it, and those that are made of it.
  std::vector<RelationId> tables;
  std::vector<RelationId> typed_tables;
};

// The functions of a name.
struct FunctionFacts {
  // One of them is volatile.
  bool is_volatile = false;
  // One of them is volatile and not PostgreSQL's own: what it changes is not known.
  bool changes_anything = false;
  // All of those are in C, as extensions have them that make numbers and keys.
  bool is_compiled = false;
};

// What goes with an object that is dropped, by PostgreSQL's own dependencies.
struct DropFacts {
  // A relation that goes, or one of its columns, the object itself among them.
  struct Dropped {
    RelationId relation = 0;
    // Empty for all of it.
    std::string column;
    // It goes with CASCADE only, and is in the way otherwise.
    bool by_cascade = false;
  };
  // What only CASCADE takes along and PostgreSQL names in its notice: it depends on something that
  // goes without being part of it.
  struct Dependent {
    // "view", "foreign key", "function", "trigger" ...; pg_identify_object's word where there is no
    // better one.
    std::string kind;
    // What it is of, or is itself, with its name there; 0 and empty for what is no part of a
    // relation.
    RelationId relation = 0;
    std::string part;
    // For people, and nothing else in the database: "orders_user_fkey on public.orders".
    std::string identity;
  };
  std::vector<Dropped> dropped;
  // Relations with rows and their columns are in `dropped` alone.
  std::vector<Dependent> dependents;
  // The relations that are locked for it.
  std::vector<Dropped> locked;
  // Of a database: its size.
  int64_t size_bytes = -1;
};

// What is not there is not in the maps.
struct CatalogFacts {
  std::map<CatalogName, RelationId> names;
  std::map<RelationId, RelationFacts> relations;
  std::map<CatalogName, TypeFacts> types;
  std::map<CatalogName, FunctionFacts> functions;
  std::map<DropTarget, DropFacts> drops;
  // The TimeZone with which a session begins here is UTC: a timestamp is stored as one with a zone.
  bool is_utc = false;
};

}  // namespace migd
