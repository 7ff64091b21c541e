// BullMQ's side of the throughput bench: `node bench.mjs fill|work PORT KIND JOBS WARM CONCURRENCY LEDGER`.
// The ledger is one byte a job; it is written to its file when WARM jobs (at least one) have run and when all have.
import { closeSync, openSync, writeSync } from "node:fs";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

const [mode, port, kind, ...numbers] = process.argv.slice(2);
const ledgerPath = numbers.pop();
const [jobs, warm, concurrency] = numbers.map(Number);
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };
const CHUNK = 1000;

async function fill() {
  const queue = new Queue("bench", { connection });
  for (let first = 0; first < jobs; first += CHUNK) {
    const size = Math.min(CHUNK, jobs - first);
    await queue.addBulk(Array.from({ length: size }, (_, n) => ({ name: "job", data: { number: first + n } })));
  }
  await queue.close();
}

async function work() {
  const ticks = new Uint8Array(jobs);
  const file = openSync(ledgerPath, "r+");
  let ran = 0;
  const tick = (number) => {
    ticks[number] += 1;
    ran += 1;
    if (ran === Math.max(1, warm) || ran >= jobs) writeSync(file, ticks, 0, jobs, 0);
  };
  const client = kind === "incr" ? new Redis(connection) : null;
  const noop = async (job) => tick(job.data.number);
  const incr = async (job) => {
    await client.incr("bench:incr");
    tick(job.data.number);
  };
  const worker = new Worker("bench", kind === "incr" ? incr : noop, { connection, concurrency, autorun: false });
  process.once("SIGTERM", async () => {
    await worker.close();
    await client?.quit();
    closeSync(file);
    process.exit(0);
  });
  worker.on("failed", (_, error) => console.error(error));
  await worker.run();
}

await (mode === "fill" ? fill() : work());
