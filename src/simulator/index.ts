export { createSimClock } from './clock.ts'
export { FAULT_MODES } from './faults.ts'
export {
  createSimulator,
  type PortName,
  type Simulator,
  type SimulatorFiles,
  type SimulatorSettings,
} from './simulator.ts'
