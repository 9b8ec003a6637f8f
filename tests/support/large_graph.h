// Revisions by the thousand, in the shapes that real projects grow into and in some that they
// should not.
#pragma once

#include <string>
#include <vector>

#include "service/revision/revision.h"

namespace migd {

// All of these return `count` revisions, give or take the last repetition of their pattern. Their
// ids are 12 hex digits in no order, as Alembic makes them, so that the order of the files says
// nothing of the order of the revisions. The same call returns the same revisions.

// Each revises the one before.
std::vector<Revision> Chain(int count);

// A base with count / 2 branches, each of two revisions.
std::vector<Revision> Branches(int count);

// The same, and each branch has a label.
std::vector<Revision> LabelledBranches(int count);

// count / 3 times a branch point with two branches that are merged again, one atop the other.
std::vector<Revision> Diamonds(int count);

// A base with count / 2 branches of one revision, then merges of two until one head is left.
std::vector<Revision> MergeTree(int count);

// A base with branches of one revision each, and one merge of them all.
std::vector<Revision> WideMerge(int count);

// A main line and a labelled branch beside it; the main line merges every revision of the branch.
std::vector<Revision> FollowedBranch(int count);

// Bases, half of which depend on one and the same, and a revision that depends on them all.
std::vector<Revision> WideDependency(int count);

// Ten labelled bases with a chain each. Each revision of the first chain is what one revision of
// each other chain depends on.
std::vector<Revision> Modules(int count);

// A chain each of whose revisions depends on one of another chain, as old as itself.
std::vector<Revision> DependentChain(int count);

// A chain with two branches of one revision off each of its revisions.
std::vector<Revision> Comb(int count);

// Each revises one that was chosen at random among all that were there before.
std::vector<Revision> RandomTree(int count);

// Each revises, merges or depends on some of the last hundred, at random.
std::vector<Revision> RandomGraph(int count);

// The file of a revision: its header, two tables and an index.
std::string FileOf(const Revision& revision);

}  // namespace migd
