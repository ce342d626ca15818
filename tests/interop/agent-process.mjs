// The conformance agent as a child process: one JSON object a line each way, answers in the order of the requests.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ERROR_KINDS, Refusal } from './party.mjs';

const KEPT_DIAGNOSTICS = 4000;
const END_OF_INPUT_GRACE_MS = 10_000;
const PROCESSES = 2;
const NEWLINE = Buffer.from('\n');

export class AgentProcess {
  #child;
  #waiting = [];
  #diagnostics = '';
  #ended = null;

  /** @param {string} program path of the built agent */
  constructor(program) {
    this.#child = spawn(program, [], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.on('error', (error) => this.#end(`the agent did not start: ${error.message}`));
    this.#child.on('exit', (code, signal) => this.#end(`the agent ended (${signal ?? `code ${code}`})`));
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.on('data', (chunk) => {
      this.#diagnostics = (this.#diagnostics + chunk).slice(-KEPT_DIAGNOSTICS);
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.settle(line));
  }

  /** Whether the process still takes requests. */
  get alive() {
    return this.#ended === null;
  }

  /** Sends one request; returns its answer, or throws a `Refusal` with the kind that the agent named. */
  async request(fields) {
    const answer = await this.rawRequest(JSON.stringify(fields));
    if ('error' in answer) throw new Refusal(answer.error, answer.detail ?? '');
    return answer;
  }

  /**
   * Sends one line (text or bytes) as it stands and returns the answer, errors included. An answer that is no JSON object, or an error
   * of a kind that nobody defined, is a defect of the agent and fails the schedule.
   */
  async rawRequest(line) {
    const reply = await new Promise((resolve, reject) => {
      if (this.#ended !== null) {
        reject(this.#ended);
        return;
      }
      this.#waiting.push({ settle: resolve, fail: reject });
      this.#child.stdin.write(Buffer.concat([Buffer.from(line), NEWLINE]));
    });
    let answer;
    try {
      answer = JSON.parse(reply);
    } catch {
      throw new Error(`the agent answered something that is no JSON: ${reply.slice(0, 200)}`);
    }
    if (answer === null || typeof answer !== 'object' || Array.isArray(answer)) {
      throw new Error(`the agent answered something that is no object: ${reply.slice(0, 200)}`);
    }
    if ('error' in answer && (!ERROR_KINDS.has(answer.error) || typeof answer.detail !== 'string')) {
      throw new Error(`the agent answered an error that is not defined: ${reply.slice(0, 200)}`);
    }
    return answer;
  }

  /** Ends the input and waits for the process; returns its exit code, which must be 0. */
  async close() {
    if (this.#ended !== null) return this.#child.exitCode;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin.end();
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), END_OF_INPUT_GRACE_MS);
    const code = await exited;
    clearTimeout(impatience);
    return code;
  }

  #end(reason) {
    if (this.#ended !== null) return;
    const said = this.#diagnostics.trim();
    this.#ended = new Error(said === '' ? reason : `${reason}; it said: ${said}`);
    for (const { fail } of this.#waiting.splice(0)) fail(this.#ended);
  }
}

/** The agent's processes, started when first needed, and anew after one ended. */
export class AgentPool {
  #processes = [];

  constructor(program) {
    this.program = program;
  }

  processes() {
    if (this.#processes.length === 0 || this.#processes.some((agent) => !agent.alive)) {
      for (const agent of this.#processes) agent.close();
      this.#processes = Array.from({ length: PROCESSES }, () => new AgentProcess(this.program));
    }
    return this.#processes;
  }

  /** Whether every process ended with code 0 at the end of its input. */
  async close() {
    const codes = await Promise.all(this.#processes.map((agent) => agent.close()));
    return codes.every((code) => code === 0);
  }
}
