"""Bugs where the rules meet the world: the ledger, the labelers' hosts, the stores, the disk, the pool, the service."""

from planted_bug import Bug

ATTEMPTS = "dataeff_al/campaign/attempts.py"
LEDGER = "dataeff_al/campaign/ledger.py"
SPOOL = "dataeff_al/labeling/spool.py"
SMALL_FILES = "dataeff_al/stores/small_files.py"
SPOOLED = "dataeff_al/labeling/spooled.py"
BLOBS = "dataeff_al/stores/blobs.py"
CHAIN = "dataeff_al/stores/chain.py"
SQL = "dataeff_al/stores/sql.py"
SEQUENCES = "tests/campaign/test_command_sequences.py::test_no_sequence_of_commands_breaks_the_record[InMemory]"
DRIVE = "tests/campaign/test_drive_loop.py"
EFFECTS = "tests/labeling/test_effect_classes.py"
HOSTED = "tests/labeling/test_spooled_host.py"
CONTRACT = "tests/stores/test_store_contract.py"
SQLITE = "tests/stores/test_sqlite_record.py"
FILES = "tests/stores/test_blobs.py"
FSCK = "tests/stores/test_fsck.py"

IN_THE_WORLD = (
    Bug(
        "answer_before_commit",
        "The state moves before its events are durable.",
        LEDGER,
        "            _commit(self._store, self.state.id, events, self.state.n, request)\n",
        "            end, self.state = self.state.n, state\n"
        "            _commit(self._store, state.id, events, end, request)\n",
        (SEQUENCES,),
    ),
    Bug(
        "group_answered_before_commit",
        "Of several callers in one transaction, each is answered although it was not committed.",
        LEDGER,
        "            _commit(self._store, self.state.id, written, self.state.n, marks=marks)\n",
        "            end, self.state = self.state.n, state\n"
        "            _commit(self._store, state.id, written, end, marks=marks)\n",
        (SEQUENCES,),
    ),
    Bug(
        "epoch_not_checked",
        "A controller that was replaced goes on writing.",
        CHAIN,
        "    if epoch != newest:\n",
        "    if epoch > newest:\n",
        (CONTRACT, SEQUENCES),
    ),
    Bug(
        "request_id_ignored",
        "A request that comes again is done again.",
        LEDGER,
        "        if request is not None and self._store.committed(self.state.id, request):\n            return []\n",
        "",
        (SEQUENCES,),
    ),
    Bug(
        "other_content_under_one_request_id",
        "A request id that was used with other content is taken for the same request.",
        CHAIN,
        "    if digest != request.digest:\n",
        "    if not digest:\n",
        (CONTRACT, SEQUENCES),
    ),
    Bug(
        "blind_attempt_retried",
        "A blind attempt that was begun before a crash is begun again.",
        ATTEMPTS,
        '        return progress.started and self._labeler.info.effect in ("blind", "queryable")\n',
        '        return progress.started and self._labeler.info.effect == "queryable"\n',
        (DRIVE + "::TestRecovery",),
    ),
    Bug(
        "blind_call_repeated_when_it_raises",
        "A blind labeler that raised is called again for the same query.",
        SPOOLED,
        '        if self.info.effect == "blind":\n            self._lose(job.attempt, reason)\n        elif',
        "        if",
        (HOSTED,),
    ),
    Bug(
        "queryable_not_asked",
        "What a queryable labeler was paid for before a crash is not asked for.",
        SPOOLED,
        '        if started and self.info.effect == "queryable":\n            return self._looked_up(attempt)\n',
        "",
        (HOSTED,),
    ),
    Bug(
        "called_before_it_is_marked",
        "The labeler is called before the host has noted that it will be.",
        SPOOLED,
        "        for job in jobs:\n            spool.mark_started(job.attempt)\n",
        "",
        (EFFECTS,),
    ),
    Bug(
        "acknowledged_before_the_record",
        "The host forgets an outcome before it is in the record.",
        ATTEMPTS,
        "        if told:\n            self._execute(*told)\n",
        "        if told:\n            self._labeler.ack(list(acked))\n            self._execute(*told)\n",
        (EFFECTS,),
    ),
    Bug(
        "started_twice_at_the_host",
        "A host that is told again of an attempt which has an outcome calls the labeler again.",
        SPOOLED,
        "            kept = self._spool.outcome(attempt) is not None\n",
        "            kept = False\n",
        (HOSTED,),
    ),
    Bug(
        "kept_outcome_never_told",
        "Who starts an attempt that another process has just answered is never told, and waits for ever.",
        SPOOLED,
        "        if kept:\n            self._on_done(attempt)\n",
        "",
        (HOSTED,),
    ),
    Bug(
        "expired_without_asking_its_host",
        "After an hour without a controller every lease expires, whatever its labeler is at.",
        ATTEMPTS,
        "        elif isinstance(progress, Running):\n            self._execute(cmd.Renew((attempt,)))\n",
        "        elif isinstance(progress, Running):\n            self._execute(cmd.Expire((attempt,)))\n",
        (EFFECTS,),
    ),
    Bug(
        "outcome_of_the_spool_not_durable",
        "An outcome in the spool is not on the disk when the host says that it is done.",
        SMALL_FILES,
        "        file.flush()\n        os.fsync(file.fileno())\n",
        "        file.flush()\n",
        (EFFECTS,),
    ),
    Bug(
        "blob_renamed_before_it_is_synced",
        "A blob has its name before its content is on the disk.",
        BLOBS,
        "                file.flush()\n                self._fsync(file.fileno())\n",
        "                file.flush()\n                draft.rename(path)\n                self._fsync(file.fileno())\n"
        "                draft.hardlink_to(path)\n",
        (FILES,),
    ),
    Bug(
        "folder_of_a_blob_not_synced",
        "A blob's ref is given before its name is on the disk.",
        BLOBS,
        "            self._fsync_folder(path.parent)\n        except",
        "        except",
        (FILES,),
    ),
    Bug(
        "fsync_tried_again",
        "After a failed fsync the next blob is taken as if nothing had happened.",
        BLOBS,
        "            self._failed = repr(error)\n",
        "",
        (FILES,),
    ),
    Bug(
        "blob_not_checked",
        "A damaged blob is handed out.",
        BLOBS,
        "        if (found := digest_bytes(content)) != ref:\n",
        "        if not content and (found := digest_bytes(content)) != ref:\n",
        (FILES,),
    ),
    Bug(
        "gap_in_the_log",
        "A writer that knows less than the log holds is let in.",
        CHAIN,
        "    if expected_n != end:\n",
        "    if expected_n > end:\n",
        (CONTRACT, SEQUENCES),
    ),
    Bug(
        "events_committed_before_their_rows",
        "Events and the rows that follow from them are two transactions.",
        SQL,
        '        statements.add_rows(connection, "events", rows)\n',
        '        statements.add_rows(connection, "events", rows)\n'
        '        connection.exec_driver_sql("COMMIT")\n        connection.exec_driver_sql("BEGIN")\n',
        (CONTRACT,),
    ),
    Bug(
        "event_not_chained",
        "An event's digest does not cover its content.",
        CHAIN,
        "    return hashlib.sha256(head.encode() + body.encode()).hexdigest()\n",
        "    return hashlib.sha256(head.encode()).hexdigest()\n",
        (FSCK,),
    ),
    Bug(
        "two_controllers",
        "A second process opens a record that another one writes.",
        "dataeff_al/stores/lockfile.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        (SQLITE,),
    ),
    Bug(
        "commit_not_on_the_disk",
        "SQLite says committed before the disk does.",
        "dataeff_al/stores/backend.py",
        'opened.execute("PRAGMA synchronous=FULL")',
        'opened.execute("PRAGMA synchronous=OFF")',
        (SQLITE,),
    ),
    Bug(
        "record_can_be_rewritten",
        "Nothing refuses a change of what is in the log.",
        "dataeff_al/stores/migrations/versions/v0001_record.py",
        '        for action in ("UPDATE", "DELETE"):\n',
        '        for action in ("DELETE",):\n',
        (SQLITE,),
    ),
    Bug(
        "snapshot_trusted_without_its_digest",
        "A snapshot is used although it does not match its seal.",
        "dataeff_al/stores/snapshots.py",
        '    if row.pop("digest") != _seal(row) or row["log"]',
        '    if not row.pop("digest") or row["log"]',
        ("tests/stores/test_snapshots.py",),
    ),
    Bug(
        "test_sample_in_the_pool",
        "A sample with the content of a test sample may be queried and trained on.",
        "dataeff_al/samples/splits.py",
        "    kept = _distinct(left, tested, digests)\n",
        "    kept = left\n",
        ("tests/samples/test_splits.py",),
    ),
    Bug(
        "group_on_both_sides",
        "Samples of one patient are both trained on and measured with.",
        "dataeff_al/samples/splits.py",
        "        chosen.update(members[names[row]])\n",
        "        chosen.update(members[names[row]][: count - len(chosen)])\n",
        ("tests/samples/test_splits.py",),
    ),
    Bug(
        "drained_controller_leases",
        "A controller that is going down leases queries.",
        "services/controller/leases.py",
        "    def _refuse_while_draining(self) -> None:\n        if self._controller.draining:\n",
        "    def _refuse_while_draining(self) -> None:\n        if not self._controller:\n",
        ("tests/controller/test_draining.py",),
    ),
)
