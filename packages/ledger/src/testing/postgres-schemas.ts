import type { Database } from "@darkmatter/store";

/** Everything in a schema that a test may change beside its rows. */
const SHAPE = `WITH here AS (
  SELECT oid, relname, relkind FROM pg_class WHERE relnamespace = current_schema()::regnamespace
), parts AS (
  SELECT concat_ws(' ', relname, relkind) AS part FROM here
  UNION ALL SELECT concat_ws(' ', relname, attname, atttypid, attnotnull)
    FROM here JOIN pg_attribute ON attrelid = here.oid
  UNION ALL SELECT concat_ws(' ', relname, tgname, tgenabled)
    FROM here JOIN pg_trigger ON tgrelid = here.oid WHERE NOT tgisinternal
  UNION ALL SELECT concat_ws(' ', relname, conname) FROM here JOIN pg_constraint ON conrelid = here.oid
  UNION ALL SELECT concat_ws(' ', proname, prosrc) FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace
) SELECT md5(string_agg(part, ',' ORDER BY part)) AS shape FROM parts`;

/** Past the triggers that keep rows as they are: the rows of the untouched schema, and sequences from their start. */
const reset = (untouched: string) => `DO $$
  DECLARE one record;
  BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() LOOP
      EXECUTE format('DELETE FROM %I', one.name);
      EXECUTE format('INSERT INTO %I OVERRIDING SYSTEM VALUE SELECT * FROM ${untouched}.%I', one.name, one.name);
    END LOOP;
    FOR one IN SELECT sequencename AS name, start_value AS start FROM pg_sequences WHERE schemaname = current_schema() LOOP
      PERFORM setval(one.name::regclass, one.start, false);
    END LOOP;
  END $$`;

/** Opens a schema by its name, made when missing; migrated or not. */
export interface SchemaOpening {
  readonly connect: (schema: string) => Promise<Database>;
  readonly migrate: (db: Database) => Promise<void>;
}

/**
 * Databases as migrations leave them. Migrating takes ten times as long as most tests, so a schema whose test is over is
 * emptied and given out again, unless the test changed more than rows.
 */
export function reusedSchemas({ connect, migrate }: SchemaOpening): () => Promise<Database> {
  const UNTOUCHED = "untouched";
  const free: string[] = [];
  let made = 0;
  let shape: Promise<string> | undefined;

  async function untouchedShape(): Promise<string> {
    await using db = await connect(UNTOUCHED);
    await migrate(db);
    return await shapeOf(db);
  }

  /** `undefined` for a schema that a test left in another shape: nobody uses it again. */
  async function emptied(schema: string): Promise<Database | undefined> {
    const db = await connect(schema);
    if ((await shapeOf(db)) === (await shape)) {
      await db.write((tx) => tx.run(reset(UNTOUCHED)));
      return db;
    }
    await db.close();
    return undefined;
  }

  async function fresh(schema: string): Promise<Database> {
    const db = await connect(schema);
    await migrate(db);
    return db;
  }

  return async () => {
    shape ??= untouchedShape();
    await shape;
    for (let schema = free.pop(); schema !== undefined; schema = free.pop()) {
      const name = schema;
      const db = await emptied(name);
      if (db) return givenBack(db, () => free.push(name));
    }
    const name = `reused${++made}`;
    return givenBack(await fresh(name), () => free.push(name));
  };
}

async function shapeOf(db: Database): Promise<string> {
  const row = await db.get<{ shape: string }>(SHAPE);
  return row?.shape ?? "";
}

/** Nobody gets a schema whose database is not closed yet. */
function givenBack(db: Database, giveBack: () => void): Database {
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= db.close().then(giveBack);
    return closed;
  };
  return new Proxy(db, {
    get(target, name) {
      if (name === "close" || name === Symbol.asyncDispose) return close;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
