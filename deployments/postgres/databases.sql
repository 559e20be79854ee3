-- One server, two databases: Prefect's and the ledger's, each of a role of its own that cannot enter the other's.
-- Runs once, when PostgreSQL makes its data folder; the passwords come from its environment.
\set ON_ERROR_STOP on
\getenv prefect_password PREFECT_DATABASE_PASSWORD
\getenv ledger_password LEDGER_DATABASE_PASSWORD

create role prefect login password :'prefect_password';
create database prefect owner prefect;
revoke all on database prefect from public;

create role ledger login password :'ledger_password';
create database ledger owner ledger;
revoke all on database ledger from public;
