//! Decimal numbers that keep every digit, as PostgreSQL's numeric does.

/// So many units of the last digit after the point.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    units: i128,
    digits: u32,
}

impl Number {
    pub fn parse(text: &str) -> Option<Number> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let units = format!("{whole}{fraction}").parse().ok()?;
        Some(Number { units, digits: fraction.len() as u32 })
    }

    pub fn plus(self, other: Number) -> Number {
        let digits = self.digits.max(other.digits);
        Number { units: self.units_of(digits) + other.units_of(digits), digits }
    }

    pub fn equals(self, other: Number) -> bool {
        let digits = self.digits.max(other.digits);
        self.units_of(digits) == other.units_of(digits)
    }

    fn units_of(self, digits: u32) -> i128 {
        self.units * 10i128.pow(digits - self.digits)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let one = 10u128.pow(self.digits);
        let (whole, fraction) = (self.units.unsigned_abs() / one, self.units.unsigned_abs() % one);
        match self.digits {
            0 => write!(f, "{sign}{whole}"),
            digits => write!(f, "{sign}{whole}.{fraction:0width$}", width = digits as usize),
        }
    }
}
