// A history as a diagram for documents. The newest revisions are at the top; an arrow leads up from
// a revision to one that revises it, a dashed one to one that depends on it. A revision that the
// listing leaves out, but leads to, is a dashed node with its id alone.
//
// With DiagramMarks::kApplied the words and the colour of a node tell whether it is applied, and
// whether it is a row of the version table; otherwise the text of a diagram changes only where the
// files do. Whatever the server sends stays inside its node. Pure.
#pragma once

#include <string>

#include "migration/v1/migration_service.pb.h"

namespace migctl {

enum class DiagramMarks { kNone, kApplied };

// In Graphviz's language: https://graphviz.org/doc/info/lang.html
std::string HistoryDot(const migration::v1::HistoryResponse& history, DiagramMarks marks);

// As a flowchart of Mermaid: https://mermaid.js.org/syntax/flowchart.html
// It refuses more than 500 arrows unless its maxEdges allows them.
std::string HistoryMermaid(const migration::v1::HistoryResponse& history, DiagramMarks marks);

}  // namespace migctl
