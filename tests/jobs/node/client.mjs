// A Node program at the queue, as its users write them with the stock client.
//
//   node client.mjs REDIS_URL QUEUE add DATA OPTIONS    adds a job, says its id
//   node client.mjs REDIS_URL QUEUE look ID             says what can be read of a job
//   node client.mjs REDIS_URL QUEUE watch ID            says each event of a job, to its end
//   node client.mjs REDIS_URL QUEUE work                takes one job, says it, ends it as told on
//                                                       stdin: {"fail": …} or {"give": …}
//
// What it says is a line of JSON each.
import { createInterface } from "node:readline";
import { Queue, QueueEvents, UnrecoverableError, Worker } from "bullmq";

const [url, name, command, ...rest] = process.argv.slice(2);
const options = { connection: { url } };
const say = (value) => console.log(JSON.stringify(value));

async function add(data, jobOptions) {
  const queue = new Queue(name, options);
  const job = await queue.add("transcribe", JSON.parse(data), JSON.parse(jobOptions));
  say({ id: job.id });
  await queue.close();
}

async function look(id) {
  const queue = new Queue(name, options);
  const job = await queue.getJob(id);
  const { progress, returnvalue, failedReason, data, attemptsMade } = job;
  const state = await job.getState();
  say({ state, progress, returnvalue, failedReason, data, attemptsMade });
  await queue.close();
}

async function watch(id) {
  const events = new QueueEvents(name, options);
  await events.waitUntilReady();
  const ended = new Promise((resolve) => {
    events.on("progress", ({ jobId, data }) => jobId === id && say({ progress: data }));
    for (const end of ["completed", "failed"]) {
      events.on(end, ({ jobId, returnvalue, failedReason }) => {
        if (jobId !== id) return;
        say({ [end]: returnvalue ?? failedReason });
        resolve();
      });
    }
  });
  say({ watching: id });
  await ended;
  await events.close();
}

async function work() {
  const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const ended = new Promise((resolve) => {
    const worker = new Worker(
      name,
      async (job) => {
        await job.updateProgress(40);
        say({ id: job.id, name: job.name, data: job.data });
        const { fail, give } = JSON.parse((await told.next()).value);
        if (fail) throw new UnrecoverableError(fail);
        return give;
      },
      options,
    );
    const end = () => worker.close().then(resolve);
    worker.on("completed", end);
    worker.on("failed", end);
  });
  await ended;
  process.exit(); // stdin may still be open
}

await { add, look, watch, work }[command](...rest);
