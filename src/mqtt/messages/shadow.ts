import { type Refusal, refusedWithCode } from '../../http/endpoint/errors.ts'

/** Footman only watches: nothing leaves it. */
export function shadowRefusal(): Refusal {
  return refusedWithCode(
    409,
    'SHADOW_MODE',
    'Shadow mode',
    'Footman runs in shadow mode, which sends nothing. Run it without --shadow and Butler.footman.shadow.',
  )
}
