import { z } from "zod";
import { serverError } from "../errors.ts";

/** A whole number in a query. */
export const Count = z
  .string()
  .regex(/^\d{1,15}$/, "is a whole number")
  .transform(Number);

export const notThere = () => serverError("not_found", "The log has no such entry or checkpoint.");
