/**
 * The result of the first call, for every later one. The schemas of check types are made so: making all of them takes as
 * long as starting Node, and a suite names few.
 */
export function once<Made>(make: () => Made): () => Made {
  let made: { value: Made } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
