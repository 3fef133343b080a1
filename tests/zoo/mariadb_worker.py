"""Locks on MariaDB, by name: GET_LOCK, a row that is selected for update, and one with a race."""

import os
import sys
import time

import pymysql
from lockutils_worker import serve

AGES = 1_000_000  # seconds


def connect():
    return pymysql.connect(
        host=os.environ["MYSQL_HOST"],
        port=int(os.environ["MYSQL_TCP_PORT"]),
        user=os.environ["MYSQL_USER"],
        database=os.environ["MYSQL_DATABASE"],
        autocommit=True,
    )


class Lock:
    forks = True

    def __init__(self, directory, name):
        self.session, self.name = connect(), name

    def ask(self, statement, *values):
        with self.session.cursor() as cursor:
            cursor.execute(statement, values)
            row = cursor.fetchone()
            return row and row[0]


class GetLock(Lock):
    def acquire(self):
        if not self.ask("SELECT GET_LOCK(%s, %s)", self.name, AGES):
            raise RuntimeError("the wait was ended")

    def try_acquire(self):
        return self.ask("SELECT GET_LOCK(%s, 0)", self.name)

    def release(self):
        if not self.ask("SELECT RELEASE_LOCK(%s)", self.name):
            raise RuntimeError("the session did not hold the lock")


class ForUpdate(Lock):
    """Keeps a transaction open that has selected the row for update."""

    def acquire(self):
        if not self.ask("SELECT 1 FROM locks WHERE name = %s", self.name):
            self.ask("INSERT IGNORE INTO locks (name) VALUES (%s)", self.name)
        self.session.begin()
        self.ask("SELECT name FROM locks WHERE name = %s FOR UPDATE", self.name)

    def release(self):
        self.session.commit()


class LookThenPut(Lock):
    """Looks whether there is a row, and writes it."""

    def try_acquire(self):
        if self.ask("SELECT name FROM locks WHERE name = %s", self.name):
            return False
        self.ask("REPLACE INTO locks (name) VALUES (%s)", self.name)
        return True

    def acquire(self):
        while not self.try_acquire():
            time.sleep(0.01)

    def release(self):
        self.ask("DELETE FROM locks WHERE name = %s", self.name)


KINDS = {"get-lock": GetLock, "for-update": ForUpdate, "look-then-put": LookThenPut}

with connect() as session, session.cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS locks (name VARCHAR(99) PRIMARY KEY) ENGINE=InnoDB")
serve(KINDS[sys.argv[1]])
