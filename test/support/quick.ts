/** Preloaded by `make unit`: each property is tried for a second, where `make test` tries it to its number of cases. */
import fc from 'fast-check';

fc.configureGlobal({ interruptAfterTimeLimit: 1000 });
