-- Who may do what in ClickHouse: roles, their limits and what each sees. Idempotent, run as an administrator before the role `store`
-- starts and again after every upgrade. Users are made elsewhere (deploy/secrets.mjs writes them for compose):
--   CREATE USER … SETTINGS PROFILE 'lapwing_reader', SQL_lapwing_tenant = 'default' CONST; GRANT lapwing_reader TO …
-- The server must allow settings that begin with SQL_ (deploy/clickhouse/server.xml).

CREATE ROLE IF NOT EXISTS lapwing_writer;
CREATE ROLE IF NOT EXISTS lapwing_server;
CREATE ROLE IF NOT EXISTS lapwing_reader;
CREATE ROLE IF NOT EXISTS lapwing_hunter;

-- What a role no longer has in this file it no longer has.
REVOKE ALL ON *.* FROM lapwing_writer, lapwing_server, lapwing_reader, lapwing_hunter;

-- Role `store`: makes and changes the tables, writes rows, reads back what it wrote. It can not drop a table or change another
-- database. The retention is a TTL of the tables that it keeps to store.retentionDays; nobody else changes it.
GRANT CREATE DATABASE, CREATE TABLE, ALTER TABLE, SELECT, INSERT, OPTIMIZE ON lapwing.* TO lapwing_writer;
GRANT SELECT ON system.tables TO lapwing_writer;
GRANT SELECT ON system.columns TO lapwing_writer;
-- For store.cluster: statements ON CLUSTER.
GRANT CLUSTER ON *.* TO lapwing_writer;

-- Role `serve`: answers questions and records triage.
GRANT CREATE DATABASE, SELECT ON lapwing.* TO lapwing_server;
GRANT INSERT ON lapwing.alert_events TO lapwing_server;

-- Grafana: what the dashboards read, of one tenant. The sealed bytes of dead letters are for nobody here.
GRANT SELECT ON lapwing.events TO lapwing_reader;
GRANT SELECT ON lapwing.alerts TO lapwing_reader;
GRANT SELECT ON lapwing.alert_hits TO lapwing_reader;
GRANT SELECT ON lapwing.alert_events TO lapwing_reader;
GRANT SELECT ON lapwing.signals TO lapwing_reader;
GRANT SELECT ON lapwing.thread_links TO lapwing_reader;
GRANT SELECT ON lapwing.definitions TO lapwing_reader;
GRANT SELECT ON lapwing.sources TO lapwing_reader;
GRANT SELECT(topic, partition, offset, reason, at) ON lapwing.dead_letters TO lapwing_reader;

-- A person who writes SQL: the same rows, under tighter limits.
GRANT SELECT ON lapwing.events TO lapwing_hunter;
GRANT SELECT ON lapwing.alerts TO lapwing_hunter;
GRANT SELECT ON lapwing.alert_hits TO lapwing_hunter;
GRANT SELECT ON lapwing.alert_events TO lapwing_hunter;
GRANT SELECT ON lapwing.signals TO lapwing_hunter;
GRANT SELECT ON lapwing.thread_links TO lapwing_hunter;
GRANT SELECT ON lapwing.definitions TO lapwing_hunter;
GRANT SELECT ON lapwing.sources TO lapwing_hunter;

-- No role has READ, WRITE or SOURCES (file, url, s3, remote, executable …), CREATE TEMPORARY TABLE (which every table function
-- needs), CREATE FUNCTION, dictionaries, named collections, BACKUP or SYSTEM: they are not granted, and nothing is by default.

-- The tenant of a reader is a constant of its user. Each table shows a reader the rows of that tenant.
CREATE ROW POLICY OR REPLACE lapwing_all ON lapwing.* USING 1 TO lapwing_writer, lapwing_server;
CREATE ROW POLICY OR REPLACE lapwing_tenant ON lapwing.events USING `lapwing.tenant` = getSetting('SQL_lapwing_tenant') TO lapwing_reader, lapwing_hunter;
CREATE ROW POLICY OR REPLACE lapwing_tenant ON lapwing.alerts USING tenant = getSetting('SQL_lapwing_tenant') TO lapwing_reader, lapwing_hunter;
CREATE ROW POLICY OR REPLACE lapwing_tenant ON lapwing.alert_hits USING tenant = getSetting('SQL_lapwing_tenant') TO lapwing_reader, lapwing_hunter;
CREATE ROW POLICY OR REPLACE lapwing_tenant ON lapwing.alert_events USING tenant = getSetting('SQL_lapwing_tenant') TO lapwing_reader, lapwing_hunter;
CREATE ROW POLICY OR REPLACE lapwing_tenant ON lapwing.signals USING tenant = getSetting('SQL_lapwing_tenant') TO lapwing_reader, lapwing_hunter;
CREATE ROW POLICY OR REPLACE lapwing_tenant ON lapwing.thread_links USING tenant = getSetting('SQL_lapwing_tenant') TO lapwing_reader, lapwing_hunter;
CREATE ROW POLICY OR REPLACE lapwing_tenant ON lapwing.definitions USING tenant = getSetting('SQL_lapwing_tenant') TO lapwing_reader, lapwing_hunter;
CREATE ROW POLICY OR REPLACE lapwing_tenant ON lapwing.sources USING tenant = getSetting('SQL_lapwing_tenant') TO lapwing_reader, lapwing_hunter;
-- Dead letters have no tenant: only the default one, whose installation this is, sees them.
CREATE ROW POLICY OR REPLACE lapwing_tenant ON lapwing.dead_letters USING getSetting('SQL_lapwing_tenant') = 'default' TO lapwing_reader, lapwing_hunter;

-- Inserts of the writer are whole batches of one table: it must neither be slowed nor hold the server.
CREATE SETTINGS PROFILE OR REPLACE lapwing_writer SETTINGS
  max_execution_time = 120 MAX 300,
  max_memory_usage = 4000000000 MAX 4000000000;

-- `serve` sets the time and the size of each answer itself, below these.
CREATE SETTINGS PROFILE OR REPLACE lapwing_server SETTINGS
  max_execution_time = 20 MIN 1 MAX 120,
  max_result_bytes = 67108864 MAX 268435456,
  max_memory_usage = 4000000000 MAX 4000000000,
  max_threads = 4 MAX 8,
  max_concurrent_queries_for_user = 32;

-- Grafana's client sets max_execution_time, and nothing else may be changed.
CREATE SETTINGS PROFILE OR REPLACE lapwing_reader SETTINGS
  readonly = 1 CONST,
  allow_ddl = 0 CONST,
  max_execution_time = 30 MIN 1 MAX 60 CHANGEABLE_IN_READONLY,
  max_result_rows = 100000 CONST,
  max_result_bytes = 67108864 CONST,
  max_memory_usage = 2000000000 CONST,
  max_threads = 4 CONST,
  max_concurrent_queries_for_user = 16 CONST;

CREATE SETTINGS PROFILE OR REPLACE lapwing_hunter SETTINGS
  readonly = 1 CONST,
  allow_ddl = 0 CONST,
  allow_introspection_functions = 0 CONST,
  max_execution_time = 30 MIN 1 MAX 30 CHANGEABLE_IN_READONLY,
  max_query_size = 32768 CONST,
  max_ast_elements = 5000 CONST,
  max_subquery_depth = 20 CONST,
  max_rows_to_read = 500000000 CONST,
  max_bytes_to_read = 100000000000 CONST,
  max_result_rows = 10000 CONST,
  max_result_bytes = 16777216 CONST,
  max_rows_in_join = 10000000 CONST,
  max_memory_usage = 2000000000 CONST,
  max_threads = 2 CONST,
  max_concurrent_queries_for_user = 4 CONST;

CREATE QUOTA OR REPLACE lapwing_hunter KEYED BY user_name
  FOR INTERVAL 1 hour MAX queries = 1000, errors = 200, result_rows = 2000000, read_rows = 20000000000, execution_time = 1800
  TO lapwing_hunter;
CREATE QUOTA OR REPLACE lapwing_reader KEYED BY user_name
  FOR INTERVAL 1 hour MAX queries = 60000, read_rows = 500000000000
  TO lapwing_reader;
