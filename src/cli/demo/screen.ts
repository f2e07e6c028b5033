/** The live view: tells what happens as it happens, and counts. */
import type { DeliveryChange } from '../../alerts/outbox/outbox.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { SiteEvents } from '../../simulator/types.ts'
import { deliveryHappening, eventHappening, type Happening, taskEnd, taskHappening } from './happenings.ts'
import type { Style } from './style.ts'
import { createTally } from './tally.ts'
import { closingText, happeningText, type Page, pageText, summaryText } from './view.ts'

export interface ScreenDeps {
  readonly out: (text: string) => void
  /** Asked for every line: the window may have changed. */
  readonly style: () => Style
  /** Milliseconds of a clock that only moves forward. */
  readonly now: () => number
}

export interface Screen {
  /** The first page; times count from now on. */
  open(page: Page): void
  task(state: SiteEvents['state']): void
  event(event: TaskEvent): void
  delivery(change: DeliveryChange): void
  summary(): void
  stopping(): void
  /** `received`: what each receiver has counted, by the name of the destination. */
  close(received: ReadonlyMap<string, number>): void
}

export function createScreen({ out, style, now }: ScreenDeps): Screen {
  const tally = createTally()
  let openedAt = now()
  let taskAbove = ''
  const sinceOpened = () => now() - openedAt

  function show(happening: Happening | null): void {
    if (!happening) return
    out(happeningText(happening, sinceOpened(), style(), taskAbove))
    taskAbove = happening.task
  }

  return {
    open(page) {
      out(pageText(page, style()))
      openedAt = now()
    },
    task(state) {
      const end = taskEnd(state)
      if (end) tally.task(end)
      show(taskHappening(state))
    },
    event(event) {
      tally.event()
      show(eventHappening(event))
    },
    delivery(change) {
      tally.delivery(change)
      show(deliveryHappening(change))
    },
    summary() {
      out(summaryText(tally.totals(), sinceOpened(), style()))
      taskAbove = ''
    },
    // Begins on a new line, because the terminal shows Ctrl+C as "^C".
    stopping: () => out('\n  Stopping ...'),
    close: (received) => out(closingText(tally.totals(), received, sinceOpened(), style())),
  }
}
