/** Faults of single calls of the engine: which calls each of them strikes, and its effect. */
import type { WebSocket } from 'ws'
import type { Fault } from '../types.ts'
import { ENGINE_ERRORS, EngineError, engineError } from './errors.ts'
import { asList, asNumber, asObject, asText } from './json.ts'
import type { EngineServer } from './types.ts'
import type { EngineUser } from './users.ts'

interface StruckCall {
  readonly method: string
  readonly params: readonly unknown[]
  readonly user: EngineUser
  readonly socket: WebSocket
}

type Args = readonly unknown[]

interface CallFault {
  strikes(args: Args, call: StruckCall): boolean
  /** Throws the error that is the answer, or returns a promise that never resolves. */
  act(args: Args, call: StruckCall): Promise<never> | never
}

const NORMAL_CODES = new Set([1000, 1001, 1002, 1003, 1008, 1009, 1011])
const isMethod = (wanted: unknown, { method }: StruckCall) => wanted === undefined || wanted === method
const silence = () => new Promise<never>(() => {})

const CALL_FAULTS: Readonly<Record<string, CallFault>> = {
  /** code, message, method (default: any) */
  'engine-error': {
    strikes: (args, call) => isMethod(args[2], call),
    act([code, message]) {
      const number = asNumber(code, ENGINE_ERRORS.ABORTED[0])
      throw new EngineError(number, asText(message) || messageOf(number))
    },
  },
  /** method (default: any) */
  'engine-stall': { strikes: (args, call) => isMethod(args[0], call), act: silence },
  /** close code (default: the connection breaks, which clients see as 1006), method (default: any) */
  'engine-close': {
    strikes: (args, call) => isMethod(args[1], call),
    act([code], { socket }) {
      const number = asNumber(code)
      if (NORMAL_CODES.has(number) || number >= 3000) socket.close(number)
      else socket.terminate()
      return silence()
    },
  },
  /** cells that one call may ask for */
  'engine-max-cells': {
    strikes: ([limit], { params }) => cells(params[1]) > asNumber(limit, 1000),
    act() {
      throw engineError('CALC_PAGES_TOO_LARGE')
    },
  },
  /** `DIRECTORY\user` */
  'engine-denied': {
    strikes: ([user], call) => call.method === 'OpenDoc' && asText(user).toLowerCase() === call.user.name.toLowerCase(),
    act(_args, { params }) {
      throw engineError('ACCESS_DENIED', asText(params[0]))
    },
  },
}

const cells = (pages: unknown): number =>
  asList(pages)
    .map(asObject)
    .reduce((sum, { qWidth, qHeight }) => sum + asNumber(qWidth) * asNumber(qHeight), 0)

/** Acts when a fault strikes this call; else resolves at once. */
export async function strikeCall({ faults }: EngineServer, path: string, call: StruckCall): Promise<void> {
  const strikes = ({ mode, args }: Fault) => CALL_FAULTS[mode]?.strikes(args, call) ?? false
  const fault = faults.match('engine', path, 'engine', strikes)
  if (fault) await CALL_FAULTS[fault.mode]?.act(fault.args, call)
}

const messageOf = (code: number) =>
  Object.values(ENGINE_ERRORS).find(([known]) => known === code)?.[1] ?? 'Internal error'
