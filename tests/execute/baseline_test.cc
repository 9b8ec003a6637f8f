#include "service/execute/baseline.h"

#include <gtest/gtest.h>

namespace migd {
namespace {

constexpr char kDump[] = R"(--
-- PostgreSQL database dump
--

\restrict abc

-- Dumped from database version 15.20
-- Dumped by pg_dump version 15.20

SET statement_timeout = 0;
SET lock_timeout = 0;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET row_security = off;

--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.f() RETURNS text
    LANGUAGE sql
    AS $$
\restrict is a text here
SET lock_timeout = 0;
$$;


--
-- Name: m; Type: MATERIALIZED VIEW; Schema: public; Owner: -
--

CREATE MATERIALIZED VIEW public."m v" AS
 SELECT 1 AS one
  WITH NO DATA;


--
-- PostgreSQL database dump complete
--

\unrestrict abc

)";

TEST(BaselineSql, KeepsTheStatementsAndNotWhatIsForPsql) {
  EXPECT_EQ(BaselineSql(kDump, {}), R"(SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;

--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.f() RETURNS text
    LANGUAGE sql
    AS $$
\restrict is a text here
SET lock_timeout = 0;
$$;


--
-- Name: m; Type: MATERIALIZED VIEW; Schema: public; Owner: -
--

CREATE MATERIALIZED VIEW public."m v" AS
 SELECT 1 AS one;
)");
}

TEST(BaselineSql, AViewThatWasNeverFilledStaysSo) {
  EXPECT_NE(BaselineSql(kDump, {"public.\"m v\""}).find("  WITH NO DATA;\n"), std::string::npos);
}

TEST(BaselineSql, OfNothingIsNothing) { EXPECT_EQ(BaselineSql("", {}), ""); }

}  // namespace
}  // namespace migd
